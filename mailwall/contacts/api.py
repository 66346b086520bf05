"""REST door of this room: /contacts."""

from __future__ import annotations

from typing import Any, Literal

from django.http import Http404, HttpRequest
from ninja import Router, Schema
from pydantic import Field

from mailwall.contacts import queries, services, wording
from mailwall.contacts.errors import AddressTaken, ContactInvalid, ContactNotFound, NotAllowed
from mailwall.contacts.models import Contact
from mailwall.contacts.queries import ContactFilter
from mailwall.contacts.rules import ContactInput
from mailwall.errors import MailwallError
from mailwall.web.rest import PROBLEMS, ApiProblem, Page, clamp_limit, decode_cursor, encode_cursor

router = Router()


class ContactIn(Schema):
    """What POST and PATCH take. Of a person first and last name count; `name` alone is split. Null clears.

    zone: an IANA time zone such as Asia/Tokyo; empty: not known, a person then has their company's.
    """

    kind: Literal["person", "company"] = "person"
    name: str = ""
    first_name: str = ""
    last_name: str = ""
    title: str = ""
    phone: str = ""
    zone: str = ""
    company: int | None = None
    owner: int | None = None
    emails: list[str] = Field(default_factory=list, max_length=1000)


class ContactOut(Schema):
    """company and owner are ids; emails in their normal form, in the order given."""

    id: int
    kind: Literal["person", "company"]
    name: str
    first_name: str
    last_name: str
    company: int | None
    emails: list[str]
    owner: int | None
    title: str
    phone: str
    zone: str


class AddressWarning(Schema):
    field: str
    code: str
    message: str


class ContactAnswer(ContactOut):
    """warnings: addresses that are accepted but never assign mail, because they are our own."""

    warnings: list[AddressWarning]


@router.get("/contacts", response={200: Page[ContactOut], **PROBLEMS})
def list_contacts(
    request: HttpRequest,
    q: str = "",
    kind: Literal["", "person", "company"] = "",
    email: str = "",
    cursor: str | None = None,
    limit: int = 50,
) -> dict[str, Any]:
    """Contacts by name. `q`: words, all found in name or addresses; `email`: who owns exactly this address."""
    after = decode_cursor(cursor, (str, int))
    page = queries.list_contacts(
        request.user,  # type: ignore[arg-type]
        ContactFilter(q=q, kind=kind, email=email),
        after=(after[0], after[1]) if after else None,
        limit=clamp_limit(limit),
    )
    return {
        "items": [_fields(contact) for contact in page.contacts],
        "next_cursor": encode_cursor(*page.next_key) if page.next_key else None,
    }


@router.post("/contacts", response={201: ContactAnswer, **PROBLEMS})
def create_contact(request: HttpRequest, payload: ContactIn) -> tuple[int, dict[str, Any]]:
    """Add a person or a company. 409 `address_taken` with `contact` when another of the same kind owns an address."""
    try:
        return 201, _answer(services.create_contact(request.user, _given(payload)))  # type: ignore[arg-type]
    except MailwallError as error:
        raise _problem(error) from error


@router.get("/contacts/{int:contact_id}", response={200: ContactAnswer, **PROBLEMS})
def read_contact(request: HttpRequest, contact_id: int) -> dict[str, Any]:
    contact = queries.contact_of(request.user, contact_id)  # type: ignore[arg-type]
    if contact is None:
        raise Http404
    return _answer(contact)


@router.patch("/contacts/{int:contact_id}", response={200: ContactAnswer, **PROBLEMS})
def update_contact(request: HttpRequest, contact_id: int, payload: ContactIn) -> dict[str, Any]:
    """Change what is given and leave the rest; `emails` replaces all addresses."""
    try:
        return _answer(services.update_contact(request.user, contact_id, _given(payload)))  # type: ignore[arg-type]
    except MailwallError as error:
        raise _problem(error) from error


@router.delete("/contacts/{int:contact_id}", response={204: None, **PROBLEMS})
def delete_contact(request: HttpRequest, contact_id: int) -> tuple[int, None]:
    """Mail stays; it loses its links to the contact."""
    try:
        services.delete_contact(request.user, contact_id)  # type: ignore[arg-type]
    except MailwallError as error:
        raise _problem(error) from error
    return 204, None


def _given(payload: ContactIn) -> ContactInput:
    names = {"company": "company_id", "owner": "owner_id"}
    return ContactInput(**{names.get(key, key): value for key, value in payload.dict(exclude_unset=True).items()})


def _fields(contact: Contact) -> dict[str, Any]:
    return {
        "id": contact.pk,
        "kind": contact.kind,
        "name": contact.name,
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "company": contact.company_id,
        "emails": [row.address for row in contact.addresses.all()],
        "owner": contact.owner_id,
        "title": contact.title,
        "phone": contact.phone,
        "zone": contact.zone,
    }


def _answer(contact: Contact) -> dict[str, Any]:
    fields = _fields(contact)
    warnings = [
        {
            "field": f"emails.{fields['emails'].index(address)}",
            "code": "own_address",
            "message": wording.say_own_address(address),
        }
        for address in queries.own_addresses_of(contact)
    ]
    return {**fields, "warnings": warnings}


def _problem(error: MailwallError) -> Exception:
    """The answer to what a service refuses; anything else stays what it is."""
    if isinstance(error, ContactInvalid):
        errors = [(problem.field, wording.say_problem(problem)) for problem in error.problems]
        return ApiProblem(422, error.code, errors[0][1], errors=errors)
    if isinstance(error, AddressTaken):
        detail = wording.say_taken(error)
        return ApiProblem(409, error.code, detail, errors=[(error.field, detail)], contact=error.contact_id)
    if isinstance(error, NotAllowed):
        return ApiProblem(403, error.code, wording.say_not_allowed(error))
    if isinstance(error, ContactNotFound):
        return Http404()
    return error
