"""A backup file opens whole, with its own passphrase or key, or not at all."""

from __future__ import annotations

import io

import pytest

from mailwall.operations.envelope import CHUNK_BYTES, Lock, Opener, Sealer
from mailwall.operations.errors import BackupUnreadable

LOCK = Lock(key=b"k" * 32)
TEXT = bytes(range(256)) * (CHUNK_BYTES // 256 * 2 + 7)


def sealed(plain: bytes = TEXT, lock: Lock = LOCK) -> bytes:
    file = io.BytesIO()
    sealer = Sealer(file, lock)
    sealer.write(plain)
    sealer.finish()
    return file.getvalue()


def opened(raw: bytes, lock: Lock = LOCK) -> bytes:
    return io.BufferedReader(Opener(io.BytesIO(raw), lock)).read()


@pytest.mark.parametrize("plain", [b"", b"x", TEXT[:CHUNK_BYTES], TEXT], ids=["empty", "small", "one chunk", "more"])
def test_what_was_sealed_opens(plain):
    assert opened(sealed(plain)) == plain


def test_a_passphrase_opens_and_another_does_not():
    raw = sealed(b"all", Lock(passphrase="correct horse"))
    assert opened(raw, Lock(passphrase="correct horse")) == b"all"
    with pytest.raises(BackupUnreadable, match="another passphrase"):
        opened(raw, Lock(passphrase="correct house"))
    with pytest.raises(BackupUnreadable, match="made with a passphrase"):
        opened(raw, LOCK)
    with pytest.raises(BackupUnreadable, match="made with a key file"):
        opened(sealed(), Lock(passphrase="correct horse"))


@pytest.mark.parametrize("part", [0.0, 0.01, 0.3, 0.5, 0.9, 0.999])
def test_a_file_cut_anywhere_is_refused(part):
    raw = sealed()
    with pytest.raises(BackupUnreadable):
        opened(raw[: int(len(raw) * part)])


def test_a_file_cut_between_chunks_is_refused():
    raw = sealed()
    last = len(TEXT) % CHUNK_BYTES
    with pytest.raises(BackupUnreadable, match="cut off"):
        opened(raw[: -(last + 16 + 4)])


@pytest.mark.parametrize("place", [0, 20, 40, 400, CHUNK_BYTES + 300, -1])
def test_one_changed_bit_is_refused(place):
    raw = bytearray(sealed())
    raw[place] ^= 1
    with pytest.raises(BackupUnreadable):
        opened(bytes(raw))


def test_something_added_is_refused():
    with pytest.raises(BackupUnreadable, match="added"):
        opened(sealed() + b"x")


def test_nothing_of_the_text_can_be_read_in_the_file():
    assert b"secret words" not in sealed(b"secret words " * 1000)
