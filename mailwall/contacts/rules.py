"""Pure decisions about contacts: names, addresses, search keys, who may edit."""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import idna

from mailwall.contacts import zones
from mailwall.contacts.errors import ContactInvalid, FieldProblem
from mailwall.mime.addresses import AddressInvalid, normalize_email
from mailwall.mime.fold import fold_text

PERSON, COMPANY = "person", "company"
MAX_NAME, MAX_TITLE, MAX_PHONE, MAX_ADDRESSES, MAX_SORT_KEY = 300, 200, 60, 1_000, 300
MAX_QUERY, MAX_QUERY_WORDS = 200, 8


class Keep(enum.Enum):
    """The one value KEEP: this field was not given."""

    KEEP = "keep"


KEEP = Keep.KEEP


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactInput:
    """A contact as somebody gives it. KEEP: leave as it is (a new contact: empty, owned by who makes it).

    name: of a company, or of a person whose first and last name are not given apart. emails replaces all addresses.
    """

    kind: str | Keep = KEEP
    name: str | Keep = KEEP
    first_name: str | Keep = KEEP
    last_name: str | Keep = KEEP
    title: str | Keep = KEEP
    phone: str | Keep = KEEP
    zone: str | Keep = KEEP
    company_id: int | Keep | None = KEEP
    owner_id: int | Keep | None = KEEP
    emails: Sequence[str] | Keep = KEEP


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactFields:
    """A contact's own fields, clean and complete, as they are stored."""

    kind: str
    name: str = ""
    first_name: str = ""
    last_name: str = ""
    title: str = ""
    phone: str = ""
    zone: str = ""
    company_id: int | None = None


def settle_fields(current: ContactFields, given: ContactInput) -> ContactFields:
    """`current` with what is given laid over it, cleaned and checked.

    :raises ContactInvalid: with every problem at once.
    """
    problems: list[FieldProblem] = []
    if given.kind is not KEEP and given.kind != current.kind:
        problems.append(FieldProblem(field="kind", code="kind_fixed"))
    fields = replace(
        current,
        title=_line(given.title, current.title),
        phone=_line(given.phone, current.phone),
        company_id=current.company_id if given.company_id is KEEP else given.company_id,
    )
    if given.zone is not KEEP:
        fields = _put_zone(fields, clean_line(given.zone), problems)
    fields = _name_person(fields, given) if current.kind == PERSON else _name_company(fields, given)
    problems += _problems_of(fields, given)
    if problems:
        raise ContactInvalid(problems)
    return fields


def _put_zone(fields: ContactFields, text: str, problems: list[FieldProblem]) -> ContactFields:
    zone = zones.find_zone(text) if text else ""
    if zone is None:
        problems.append(FieldProblem(field="zone", code="zone_unknown", value=text[:100]))
    return replace(fields, zone=zone or "")


def _line(given: str | Keep, current: str) -> str:
    return current if given is KEEP else clean_line(given)


def _name_person(fields: ContactFields, given: ContactInput) -> ContactFields:
    if given.first_name is KEEP and given.last_name is KEEP and given.name is not KEEP:
        first_name, last_name = split_name(clean_line(given.name))
    else:
        first_name = _line(given.first_name, fields.first_name)
        last_name = _line(given.last_name, fields.last_name)
    return replace(fields, first_name=first_name, last_name=last_name, name=f"{first_name} {last_name}".strip())


def _name_company(fields: ContactFields, given: ContactInput) -> ContactFields:
    return replace(fields, name=_line(given.name, fields.name))


def _problems_of(fields: ContactFields, given: ContactInput) -> list[FieldProblem]:
    problems = []
    if not fields.name:
        problems.append(FieldProblem(field="first_name" if fields.kind == PERSON else "name", code="name_missing"))
    if fields.kind == COMPANY:
        for field, value in (("first_name", given.first_name), ("last_name", given.last_name)):
            if value is not KEEP and clean_line(value):
                problems.append(FieldProblem(field=field, code="people_only"))
        if fields.company_id is not None:
            problems.append(FieldProblem(field="company", code="people_only"))
    limits = {"first_name": MAX_NAME, "last_name": MAX_NAME, "title": MAX_TITLE, "phone": MAX_PHONE}
    if fields.kind == COMPANY:
        limits["name"] = MAX_NAME
    for field, limit in limits.items():
        if len(getattr(fields, field)) > limit:
            problems.append(FieldProblem(field=field, code="too_long", value=str(limit)))
    return problems


def settle_addresses(given: Sequence[str]) -> list[str]:
    """The normal forms, each once, in the order given.

    :raises ContactInvalid: with a problem for every one that is no address (`emails.0`).
    """
    if len(given) > MAX_ADDRESSES:
        raise ContactInvalid([FieldProblem(field="emails", code="too_many", value=str(MAX_ADDRESSES))])
    addresses: dict[str, None] = {}
    problems = []
    for place, text in enumerate(given):
        try:
            addresses[normalize_email(text)] = None
        except AddressInvalid:
            problems.append(FieldProblem(field=f"emails.{place}", code="not_an_address", value=clean_line(text)[:100]))
    if problems:
        raise ContactInvalid(problems)
    return list(addresses)


def place_of(address: str, given: Sequence[str]) -> int:
    """Which of the given texts stands for the (normal) address."""
    return next((place for place, text in enumerate(given) if normalize_email(text) == address), 0)


def clean_line(text: str) -> str:
    """One line of readable text: composed, no control characters, no text-direction overrides, single spaces."""
    text = unicodedata.normalize("NFC", text)
    text = "".join(" " if unicodedata.category(char) in ("Cc", "Zl", "Zp") else char for char in text)
    text = "".join(char for char in text if not _is_hidden(char))
    line = " ".join(text.split())
    return line if any(unicodedata.category(char) not in ("Cf", "Mn") for char in line) else ""


def _is_hidden(char: str) -> bool:
    return unicodedata.category(char) == "Cs" or char in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"


def split_name(name: str) -> tuple[str, str]:
    """First and last name: `Anna Maria Nowak` and `Nowak, Anna Maria` are ("Anna Maria", "Nowak")."""
    last, comma, first = name.partition(",")
    if comma and last.strip() and first.strip():
        return first.strip(), last.strip()
    first, _, last = name.rpartition(" ")
    return (first, last) if first else (last, "")


def numbered(name: str, contact_id: int) -> str:
    """`Kwiat (#12)`: tells companies of the same name apart."""
    return f"{name} (#{contact_id})"


def split_number(label: str) -> tuple[str, int | None]:
    """What `numbered` put together; no number: the whole label and None."""
    match = re.fullmatch(r"(.+) \(#([0-9]{1,18})\)", label)
    return (match[1], int(match[2])) if match else (label, None)


def readable_address(address: str) -> str:
    """The address with its domain in the letters of its owners: `biuro@żółw.example` for `biuro@xn--…`."""
    local, _, domain = address.rpartition("@")
    if "xn--" not in domain:
        return address
    try:
        return f"{local}@{idna.decode(domain)}"
    except (UnicodeError, ValueError):
        return address


def sort_key(name: str) -> str:
    """What the list is ordered by: the same for `Łukasz` and `lukasz`."""
    return fold_text(name)[:MAX_SORT_KEY]


def search_key(name: str, addresses: Collection[str]) -> str:
    """What the list's search looks in: name and addresses, domains in both spellings, folded, one a line."""
    readable = [readable_address(address) for address in addresses]
    return "\n".join(dict.fromkeys(fold_text(text) for text in (name, *addresses, *readable)))


def search_words(q: str) -> list[str]:
    """The folded words that must all be found; beyond the limits they are ignored."""
    return fold_text(clean_line(q[: 2 * MAX_QUERY]))[:MAX_QUERY].split()[:MAX_QUERY_WORDS]


def may_edit(
    *, viewer_id: int, is_admin: bool, managed_team_ids: Collection[int], owner_id: int | None, team_id: int | None
) -> bool:
    """Whether the viewer may edit or delete a contact of this owner, who is in this team.

    The owner, managers of the owner's team and admins; everyone when nobody owns it.
    """
    return (
        owner_id is None or owner_id == viewer_id or is_admin or (team_id is not None and team_id in managed_team_ids)
    )
