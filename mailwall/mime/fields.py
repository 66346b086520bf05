"""Text, names and ids → header fields as they go over the wire: folded, encoded, safe from injection.

Sources: RFC 5322 §2.2 (fields, folding), RFC 2047 (encoded words), RFC 2231 (parameters), RFC 6532 (raw UTF-8).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import AnyStr

from mailwall.errors import MailwallError
from mailwall.mime.headers import decode_words
from mailwall.mime.types import Address

LINE_LENGTH = 76
MAX_WORD_LENGTH = 900  # a line may have 998 octets (RFC 5322 §2.1.1)
MAX_REFERENCES = 40
_WORD_BYTES = 45  # of one encoded word, which has at most 75 characters

_BREAKS = re.compile("[\r\n\0]")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_PRINTABLE = re.compile(r"[\t -~]*")
_Q_SAFE = re.compile(r"[A-Za-z0-9!*+/-]")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,70}")
_TOKEN = re.compile(r"[A-Za-z0-9!#$&+.^_`{|}~-]+")
_FOLD_HERE = re.compile(r"[ \t](?=[^ \t])")
_ENCODED_BREAK = re.compile(r"=\?[^?]*\?[qQ]\?[^?]*=0[0dDaA]|=\?[^?]*\?[bB]\?([^?]*)\?=")


class HeaderInvalid(MailwallError):
    """A value that would end its header field, or a field that may not be set."""

    code = "header_invalid"


def breaks_out(value: str) -> bool:
    """Whether a header value holds CR, LF or NUL, as it is or once its encoded words are decoded, however often."""
    for _ in range(5):
        if _BREAKS.search(value) or any(map(_hides_a_break, _ENCODED_BREAK.finditer(value))):
            return True
        decoded = decode_words(value) if "=?" in value else value
        if decoded == value:
            return False
        value = decoded
    return True


def _hides_a_break(word: re.Match[str]) -> bool:
    if word[1] is None:
        return True
    text = re.sub(r"[^A-Za-z0-9+/]", "", word[1])
    raw = base64.b64decode(text[: len(text) - (len(text) % 4 == 1)] + "==", validate=False)
    return any(byte in raw for byte in (0, 10, 13))


def text_field(name: str, value: str) -> str:
    """A field of free text such as Subject, encoded where it has to be.

    :raises HeaderInvalid: the name is none, or the value would end the field.
    """
    _require(name, value)
    value = value.strip()
    plain = _PRINTABLE.fullmatch(value) and "=?" not in value
    if plain and all(len(word) <= MAX_WORD_LENGTH for word in value.split()):
        return _folded(name, _FOLD_HERE.split(value))
    return _folded(name, encoded_words(value))


def verbatim_field(name: str, value: str) -> str:
    """A structured field of ASCII that may be folded at its spaces only, such as List-Unsubscribe. Raises as above."""
    _require(name, value)
    if not _PRINTABLE.fullmatch(value) or any(len(word) > MAX_WORD_LENGTH for word in value.split()):
        raise HeaderInvalid(f"The header {name} cannot have this value.")
    return _folded(name, _FOLD_HERE.split(value.strip()))


def address_field(name: str, people: Sequence[Address]) -> str:
    """From, To or Cc. A local part beyond ASCII stays UTF-8 (RFC 6532). Raises HeaderInvalid."""
    mailboxes = []
    for person in people:
        _require(name, person.name, person.address)
        mailboxes.append([*_phrase(person.name), f"<{person.address}>"] if person.name.strip() else [person.address])
    words = [word for boxes in mailboxes for word in (*boxes[:-1], boxes[-1] + ",")]
    return _folded(name, [*words[:-1], words[-1][:-1]] if words else [])


def ids_field(name: str, ids: Iterable[str]) -> str:
    """Message-ID, In-Reply-To or References; '' when nothing is left. Ids that no line can hold are left out."""
    fit = [f"<{each}>" for each in dict.fromkeys(ids) if re.fullmatch(r"[!-;=?-~]{1,900}", each)]
    fit = fit if len(fit) <= MAX_REFERENCES else [fit[0], *fit[1 - MAX_REFERENCES :]]
    return _folded(name, fit) if fit else ""


def parameter(name: str, value: str) -> str:
    """`name=value` of Content-Type or Content-Disposition, beyond ASCII as RFC 2231 says. Raises HeaderInvalid."""
    _require(name, value)
    if _TOKEN.fullmatch(value) and len(value) < 70:
        return f"{name}={value}"
    if _PRINTABLE.fullmatch(value) and "\t" not in value and "=?" not in value and len(value) < 70:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{name}="{escaped}"'
    pieces = [chr(byte) if _TOKEN.fullmatch(chr(byte)) else f"%{byte:02X}" for byte in value.encode()]
    if sum(map(len, pieces)) < 800:
        return f"{name}*=utf-8''{''.join(pieces)}"
    raise HeaderInvalid("The file name is too long.")


def encoded_words(text: str) -> list[str]:
    """The text as encoded words in UTF-8, never cutting a character (RFC 2047 §5); B or Q, whichever is shorter."""
    q_characters = [_q(character) for character in text]
    b_length = 4 * -(-len(text.encode()) // 3)
    if sum(map(len, q_characters)) <= b_length:
        return [f"=?utf-8?q?{''.join(piece)}?=" for piece in _pieces(q_characters, 63)]
    raw_characters = [character.encode() for character in text]
    words = (b"".join(piece) for piece in _pieces(raw_characters, _WORD_BYTES))
    return [f"=?utf-8?b?{base64.b64encode(raw).decode('ascii')}?=" for raw in words]


def _q(character: str) -> str:
    if character == " ":
        return "_"
    return character if _Q_SAFE.fullmatch(character) else "".join(f"={byte:02X}" for byte in character.encode())


def _pieces(characters: Sequence[AnyStr], limit: int) -> Iterator[list[AnyStr]]:
    piece: list[AnyStr] = []
    size = 0
    for character in characters:
        if size + len(character) > limit:
            yield piece
            piece, size = [], 0
        piece.append(character)
        size += len(character)
    if piece:
        yield piece


def _phrase(name: str) -> list[str]:
    """A display name as words that may be folded between."""
    name = " ".join(name.split())
    if "=?" in name or not _PRINTABLE.fullmatch(name) or any(len(word) > MAX_WORD_LENGTH for word in name.split()):
        return encoded_words(name)
    if _ATOMS.fullmatch(name):
        return name.split(" ")
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'.split(" ")


def _folded(name: str, words: Sequence[str]) -> str:
    """The field in lines of at most LINE_LENGTH characters, where its words allow that."""
    lines = [f"{name}:"]
    for word in words:
        if len(lines[-1]) + len(word) + 1 > LINE_LENGTH and lines[-1] != f"{name}:":
            lines.append("")
        lines[-1] += " " + word
    return "\r\n".join(lines)


def _require(name: str, *values: str) -> None:
    if not _NAME.fullmatch(name):
        raise HeaderInvalid("This is no name of a header.")
    if any(breaks_out(value) for value in values):
        raise HeaderInvalid(f"The header {name} cannot hold line breaks.")
