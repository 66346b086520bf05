"""Address headers → addresses, and the one normal form in which addresses are compared.

A display name never becomes an address, whatever it looks like: matching rests on that.
Sources: RFC 5322 §3.4 (lists, groups), RFC 2047 (names), RFC 6531 (SMTPUTF8), UTS 46 and RFC 5891 (domains).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import idna
from email_validator import EmailNotValidError, validate_email

from mailwall.errors import MailwallError
from mailwall.mime.charsets import clean, guess
from mailwall.mime.headers import decode_words
from mailwall.mime.types import Address

MAX_ADDRESSES = 2_000
MAX_NAME_LENGTH = 300
MAX_ADDRESS_LENGTH = 320
MAX_VALUE_LENGTH = 512_000

_ASCII_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?=[A-Za-z0-9_]))*")
_WRAPPING = " \t\r\n<>,;:'\u200b\ufeff"
_UNUSABLE = re.compile('[\x00-\x20\x7f-\xa0<>(),;:\\\\"\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ud800-\udfff]')
_DOTS = re.compile("[\u3002\uff0e\uff61]")
_CONTROL = re.compile("[\x00-\x1f\x7f\u2028\u2029]+")


class AddressInvalid(MailwallError):
    """What somebody typed is no e-mail address."""

    code = "address_invalid"


def normalize_email(text: str) -> str:
    """The normal form of an address that a person typed; AddressInvalid when it is none.

    Lower case (also left of the @), domain as IDNA ASCII (UTS 46), plus-tags kept, SMTPUTF8 names allowed. No look-up.
    """
    try:
        checked = validate_email(text.strip(), check_deliverability=False, globally_deliverable=False)
        domain = _fold_domain(checked.ascii_domain)
    except (EmailNotValidError, UnicodeError, ValueError) as error:
        raise AddressInvalid(str(error)) from error
    if "." not in domain:
        raise AddressInvalid("The part after the @-sign is not a full domain name.")
    return f"{_fold_local(checked.local_part)}@{domain}"


def fold_address(text: str) -> str:
    """The normal form of an address found in mail, '' when there is nothing usable. Never raises.

    Equals normalize_email for every address that one accepts. Look-alike letters stay different.
    """
    if _ASCII_ADDRESS.fullmatch(text) and len(text) <= MAX_ADDRESS_LENGTH:
        return text.lower()
    return _fold_odd_address(text[: 4 * MAX_ADDRESS_LENGTH])


def _fold_odd_address(text: str) -> str:
    text = clean(text).strip(_WRAPPING)
    if text[:7].lower() == "mailto:":
        text = text[7:]
    local, at, domain = text.rpartition("@")
    local, domain = local.strip(), domain.strip().rstrip(".")
    if not at or not local or not domain:
        return ""
    local = _unquote_local(local)
    domain = _fold_domain(domain)
    if not domain or not local:
        return ""
    address = f"{_fold_local(local)}@{domain}"
    return address if len(address) <= MAX_ADDRESS_LENGTH else ""


def _unquote_local(local: str) -> str:
    """`"ewa.k"@…` is `ewa.k@…` (RFC 5322 §3.4.1); one that needs its quotes keeps them; '' when unusable."""
    if len(local) > 2 and local[0] == local[-1] == '"':
        inner = re.sub(r"\\(.)", r"\1", local[1:-1])
        if not _UNUSABLE.search(inner) and "@" not in inner and not inner.startswith(".") and not inner.endswith("."):
            return inner
        escaped = inner.replace("\\", "\\\\").replace('"', '\\"')
        return "" if _CONTROL.search(inner) or _UNUSABLE.sub("", inner) == "" else f'"{escaped}"'
    return "" if _UNUSABLE.search(local) or "@" in local else local


def _fold_local(local: str) -> str:
    """Lower case, composed. Twice, because lower case may decompose and composing may give capitals again."""
    if local.isascii():
        return local.lower()
    for _ in range(2):
        local = unicodedata.normalize("NFC", unicodedata.normalize("NFC", local).lower())
    return local


def _fold_domain(domain: str) -> str:
    """Lower case ASCII form, '' when unusable. Labels that IDNA 2008 refuses (emoji) get the form that DNS uses."""
    if domain[:1] == "[" and domain[-1:] == "]":
        return domain.lower() if domain.isascii() and not _UNUSABLE.search(domain.replace(":", "")) else ""
    folded = domain.lower() if domain.isascii() else _to_ascii(domain[:300])
    folded = folded.rstrip(".")
    return "" if _UNUSABLE.search(folded) or not all(folded.split(".")) or "@" in folded else folded


def _to_ascii(domain: str) -> str:
    try:
        return idna.encode(domain, uts46=True).decode("ascii").lower()
    except (UnicodeError, ValueError, IndexError):
        pass
    labels = _DOTS.sub(".", unicodedata.normalize("NFKC", domain).casefold()).split(".")
    encoded = (label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii") for label in labels)
    return ".".join(encoded).lower()


# --- lists -----------------------------------------------------------------------------------------------------------

_SIMPLE = re.compile(
    r'[ \t]*(?:(?:"([^"\\]*)"|([^"<>()\[\],;:\\@]*?))[ \t]*<([A-Za-z0-9!#$%&\'*+/=?^_`{|}~.-]+@[A-Za-z0-9.-]+)>'
    r"|([A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9.-]+))[ \t]*(?:,|$)"
)


def parse_addresses(raw_values: Sequence[bytes | str], hint: str = "") -> tuple[Address, ...]:
    """The mailboxes of one or more address fields (RFC 5322 §3.4), groups dissolved, each address once.

    hint: charset for raw 8-bit names that are not UTF-8. Mailboxes without a usable address are left out.
    """
    if not raw_values:
        return ()
    found: dict[str, Address] = {}
    for raw in raw_values:
        raw = raw[:MAX_VALUE_LENGTH]
        text = guess(raw, hint) if isinstance(raw, bytes) else clean(raw)
        parse = _parse_cached if len(text) <= 300 else _parse_value
        for address in parse(text):
            if address.address not in found:
                found[address.address] = address
        if len(found) >= MAX_ADDRESSES:
            break
    return tuple(found.values())[:MAX_ADDRESSES]


def _parse_value(text: str) -> tuple[Address, ...]:
    return _parse_simple(text) or _Tokenizer(text).mailboxes()


_parse_cached = lru_cache(maxsize=8192)(_parse_value)


def _parse_simple(text: str) -> tuple[Address, ...]:
    """The fast path: plain lists of `Name <address>` and `address`; () for anything else."""
    position = 0
    found: list[Address] = []
    while position < len(text):
        match = _SIMPLE.match(text, position)
        if match is None or len(found) >= MAX_ADDRESSES:
            return ()
        quoted, plain, angle, bare = match.groups()
        address = fold_address(angle or bare)
        if not address:
            return ()
        found.append(Address(name=_tidy_name(quoted or plain or ""), address=address))
        position = match.end()
    return tuple(found)


def _tidy_name(name: str) -> str:
    """A display name as people read it: encoded words decoded, one line, capped."""
    if "=?" in name:
        name = decode_words(name)
    name = " ".join(_CONTROL.sub(" ", clean(name)).split())
    while len(name) > 1 and name[0] == name[-1] and name[0] in "\"'":
        name = name[1:-1].strip()
    return name[:MAX_NAME_LENGTH].rstrip()


_PLAIN_RUN = re.compile(r'[^"(<,;:\s\\]+')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ENCODED = re.compile(r'=\?[^?\s<>"]{1,60}\?[bBqQ]\?[^?\s<>"]{0,2000}\?=')
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_TRIES = 16


class _Tokenizer:
    """One pass over an address list that the fast path does not know. Position only moves forward."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[Address] = []
        self.position = 0
        self.broken_quotes = 0
        self.broken_comments = 0
        self.closes = True
        self._start_mailbox()

    def _start_mailbox(self) -> None:
        self.words: list[tuple[str, bool]] = []  # (text, may be an address)
        self.comments: list[str] = []
        self.angle = ""
        self.glued = False

    def mailboxes(self) -> tuple[Address, ...]:
        end = self._end
        steps = {'"': self._quoted, "(": self._comment, "<": self._angle, ",": end, ";": end, ":": self._group}
        while self.position < len(self.text) and len(self.found) < MAX_ADDRESSES:
            char = self.text[self.position]
            step = steps.get(char)
            if step is not None:
                step()
            elif char.isspace() or char == "\\":
                self.position += 1
                self.glued = False
            else:
                self._word()
        self._finish()
        return tuple(self.found)

    def _word(self) -> None:
        match = _ENCODED.match(self.text, self.position) or _PLAIN_RUN.match(self.text, self.position)
        if match is None:
            self.position += 1
            return
        self._add(match[0], may_be_address=not match[0].startswith("=?"))
        self.position = match.end()

    def _add(self, word: str, *, may_be_address: bool) -> None:
        if self.glued and self.words and may_be_address and (word[0] == "@" or self.words[-1][0][-1:] == "@"):
            before, _ = self.words.pop()
            word = before + word
        self.words.append((word, may_be_address))
        self.glued = True

    def _quoted(self) -> None:
        match = _QUOTED.match(self.text, self.position) if self.broken_quotes < _TRIES else None
        if match is None:
            self.broken_quotes += 1
            self.position += 1
            return
        self.position = match.end()
        if self.text[self.position : self.position + 1] == "@":  # a quoted local part: "john doe"@x.example
            domain = _PLAIN_RUN.match(self.text, self.position)
            self.position = domain.end() if domain else self.position + 1
            self.words.append((match[0] + (domain[0] if domain else ""), True))
        else:
            self.words.append((_ESCAPE.sub(r"\1", match[1]), False))
        self.glued = False

    def _comment(self) -> None:
        """Skip (nested (comments)); a counter, no recursion. An unclosed one ends the mailbox or runs to its `<`."""
        end = _end_of_comment(self.text, self.position) if self.broken_comments < _TRIES else -1
        self.glued = False
        if end > 0:
            self.comments.append(_ESCAPE.sub(r"\1", self.text[self.position + 1 : end][:MAX_NAME_LENGTH]))
            self.position = end + 1
            return
        self.broken_comments += 1
        has_address = bool(self.angle) or any(usable and "@" in word for word, usable in self.words)
        angle = -1 if has_address else self.text.find("<", self.position)
        self.position = angle if angle >= 0 else len(self.text)

    def _angle(self) -> None:
        end = self.text.find(">", self.position) if self.closes else -1
        self.closes = end >= 0  # asked once: a thousand unclosed brackets must not mean a thousand searches
        opening = self.text.find("<", self.position + 1, end if end >= 0 else None)
        if opening >= 0 and '"' not in self.text[self.position : opening]:
            self.position = opening  # `<Ewa <ewa@x>`: the last one before the closing bracket
            return
        if end < 0:
            end = len(self.text)
        inner = self.text[self.position + 1 : end]
        if inner[:1] == '"' and (match := re.match(r'"(?:[^"\\]|\\.)*"@[^>]*', self.text[self.position + 1 :][:1000])):
            inner = match[0]
            end = self.position + 1 + match.end()
        self.angle = inner.rpartition(":")[2] if inner.lstrip()[:1] == "@" else inner
        self.position = end + 1
        self.glued = False

    def _end(self) -> None:
        self._finish()
        self.position += 1

    def _group(self) -> None:
        """`Team:` opens a group; its name is no mailbox. `mailto:` is a habit of some forms."""
        self.words.clear()
        self.comments.clear()
        self.position += 1
        self.glued = False

    def _finish(self) -> None:
        words, comments, angle = self.words, self.comments, self.angle
        self._start_mailbox()
        if angle:
            name = " ".join(word for word, _ in words) or (comments[-1] if comments else "")
            self._append(name, fold_address(_without_comments(angle)))
            return
        joined = _join_spaced(words)
        candidates = [word for word, usable in joined if usable and "@" in word]
        if len(candidates) == len(joined):
            for word in candidates:
                self._append(comments[-1] if comments else "", fold_address(word))
        elif candidates:
            name = " ".join(word for word, _ in joined if word != candidates[-1])
            self._append(name, fold_address(candidates[-1]))

    def _append(self, name: str, address: str) -> None:
        if address:
            self.found.append(Address(name=_tidy_name(name), address=address))


def _join_spaced(words: list[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """`ewa @ kwiat.example`, allowed by RFC 5322 §4.4, becomes one word."""
    joined: list[tuple[str, bool]] = []
    for word, usable in words:
        if joined and usable and joined[-1][1] and (word[0] == "@" or joined[-1][0][-1:] == "@"):
            joined[-1] = (joined[-1][0] + word, True)
        else:
            joined.append((word, usable))
    return joined


def _end_of_comment(text: str, start: int) -> int:
    """Index of the parenthesis that closes the one at `start`, -1 when none does."""
    depth = 0
    for match in re.compile(r"\\.|[()]", re.DOTALL).finditer(text, start):
        if match[0] == "(":
            depth += 1
        elif match[0] == ")":
            depth -= 1
            if depth == 0:
                return match.start()
    return -1


def _without_comments(text: str) -> str:
    return re.sub(r"\([^()]*\)", "", text) if "(" in text and '"' not in text else text
