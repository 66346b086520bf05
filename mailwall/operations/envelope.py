"""The encrypted file of a backup: AES-256-GCM in chunks, so that a file of any size is written and read as a stream.

MAGIC, length and JSON of a header, then chunks: 4 bytes length, ciphertext. The key is made of the passphrase (scrypt)
or of a key file (HKDF) with a salt of this file alone, so the chunk's number can be the nonce. Each chunk is bound to
the header and says whether it is the last: a cut, swapped or changed file does not open. Pure.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
from dataclasses import dataclass
from typing import IO, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from mailwall.operations.errors import BackupUnreadable

MAGIC = b"MAILWALL BACKUP 1\n"
CHUNK_BYTES = 256 * 1024
MAX_HEADER_BYTES = 10_000
SCRYPT = {"n": 2**15, "r": 8, "p": 1}
MAX_SCRYPT = {"n": 2**20, "r": 16, "p": 4}
_LENGTH = struct.Struct(">I")
_MORE, _LAST = b"more", b"last"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What opens a backup: a passphrase, or the bytes of a key file."""

    passphrase: str = ""
    key: bytes = b""


class Sealer(io.RawIOBase):
    """Write-only; close() writes the last chunk. Without it the file does not open."""

    def __init__(self, file: IO[bytes], lock: Lock) -> None:
        salt = os.urandom(16)
        kdf = {"kdf": "scrypt", **SCRYPT} if lock.passphrase else {"kdf": "hkdf"}
        header = json.dumps({**kdf, "salt": salt.hex()}).encode()
        file.write(MAGIC + _LENGTH.pack(len(header)) + header)
        self._file, self._buffer, self._number = file, bytearray(), 0
        self._cipher, self._bound = AESGCM(_key(lock, json.loads(header))), hashlib.sha256(header).digest()

    def writable(self) -> bool:
        return True

    def write(self, raw: Any) -> int:
        self._buffer += raw
        while len(self._buffer) > CHUNK_BYTES:
            self._put(bytes(self._buffer[:CHUNK_BYTES]), _MORE)
            del self._buffer[:CHUNK_BYTES]
        return len(raw)

    def finish(self) -> None:
        """Write what is left as the last chunk."""
        self._put(bytes(self._buffer), _LAST)

    def _put(self, plain: bytes, which: bytes) -> None:
        sealed = self._cipher.encrypt(_nonce(self._number), plain, self._bound + which)
        self._file.write(_LENGTH.pack(len(sealed)) + sealed)
        self._number += 1


class Opener(io.RawIOBase):
    """Read-only; gives nothing that was not proved whole.

    :raises BackupUnreadable: from the constructor, and from every read.
    """

    def __init__(self, file: IO[bytes], lock: Lock) -> None:
        if file.read(len(MAGIC)) != MAGIC:
            raise BackupUnreadable("This file is no backup of Mailwall.")
        length = self._length(file)
        header = file.read(length) if length <= MAX_HEADER_BYTES else b""
        self._file, self._plain, self._number, self._ended = file, b"", 0, False
        try:
            known = json.loads(header)
            self._cipher, self._bound = AESGCM(_key(lock, known)), hashlib.sha256(header).digest()
        except (ValueError, KeyError, TypeError) as error:
            raise BackupUnreadable("The beginning of the backup is damaged.") from error

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        while not self._plain and not self._ended:
            self._plain = self._next()
        count = min(len(target), len(self._plain))
        target[:count] = self._plain[:count]
        self._plain = self._plain[count:]
        return count

    def _next(self) -> bytes:
        length = self._length(self._file)
        sealed = self._file.read(length) if length <= CHUNK_BYTES + 16 else b""
        for which in (_MORE, _LAST):
            try:
                plain = self._cipher.decrypt(_nonce(self._number), sealed, self._bound + which)
            except InvalidTag:
                continue
            self._number += 1
            self._ended = which == _LAST
            if self._ended and self._file.read(1):
                raise BackupUnreadable("The backup is damaged: something was added to it.")
            return plain
        if self._number == 0:
            raise BackupUnreadable("The backup does not open: another passphrase or key made it, or it is damaged.")
        raise BackupUnreadable("The backup is damaged or cut off.")

    @staticmethod
    def _length(file: IO[bytes]) -> int:
        raw = file.read(_LENGTH.size)
        if len(raw) < _LENGTH.size:
            raise BackupUnreadable("The backup is cut off.")
        return int(_LENGTH.unpack(raw)[0])


def _key(lock: Lock, header: dict[str, Any]) -> bytes:
    salt = bytes.fromhex(header["salt"])
    if header["kdf"] == "scrypt":
        if not lock.passphrase:
            raise BackupUnreadable("This backup was made with a passphrase, not with a key file.")
        numbers = {name: int(header[name]) for name in SCRYPT}
        if any(numbers[name] > MAX_SCRYPT[name] for name in numbers):
            raise ValueError("scrypt would take for ever")
        return Scrypt(salt=salt, length=32, **numbers).derive(lock.passphrase.encode())
    if not lock.key:
        raise BackupUnreadable("This backup was made with a key file, not with a passphrase.")
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=b"mailwall backup").derive(lock.key)


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")
