"""REST door of signatures: /me/signature. It lives here because a signature is part of sending."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import ConfigDict, Field

from mailwall.email_accounts import errors as account_errors
from mailwall.email_accounts import queries as account_queries
from mailwall.email_accounts.models import EmailAccount
from mailwall.sending import signatures
from mailwall.sending.errors import TextTooLong
from mailwall.web.rest import PROBLEMS, ApiProblem

router = Router()

AccountId = Annotated[int, Field(ge=1, lt=2**63)]


class SignatureOut(Schema):
    """html null: the account has no signature of its own and uses the general one, which is never null."""

    html: str | None


class SignatureIn(Schema):
    """html null takes an account's own signature away; '' is an empty signature."""

    model_config = ConfigDict(extra="forbid")

    html: str | None


@router.get("/me/signature", response={200: SignatureOut, **PROBLEMS})
def get_signature(request: HttpRequest, email_account: Annotated[AccountId | None, Query()] = None) -> dict[str, Any]:
    """One's general signature as cleaned HTML; `?email_account=` the one that an account of one's own has instead."""
    viewer: Any = request.user
    account = _own_account(viewer, email_account)
    html = signatures.signature_of(viewer, account)
    return {"html": html if account else html or ""}


@router.put("/me/signature", response={200: SignatureOut, **PROBLEMS})
def put_signature(
    request: HttpRequest, payload: SignatureIn, email_account: Annotated[AccountId | None, Query()] = None
) -> dict[str, Any]:
    """Replace it; scripts, forms and whatever could load or act are taken out."""
    viewer: Any = request.user
    account = _own_account(viewer, email_account)
    if account and payload.html is None:
        signatures.use_general_signature(viewer, account)
        return {"html": None}
    try:
        return {"html": signatures.save_signature(viewer, payload.html or "", account)}
    except TextTooLong as error:
        sentence = account_errors.sentence(error)
        raise ApiProblem(422, error.code, sentence, errors=[("html", sentence)]) from error


def _own_account(viewer: Any, account_id: int | None) -> EmailAccount | None:
    return account_queries.get_own_account(viewer, account_id) if account_id is not None else None
