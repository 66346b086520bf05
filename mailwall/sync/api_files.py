"""REST door of the files of messages, fetched from the mail server when somebody asks."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from ninja import Router

from mailwall.sync import attachments, responses
from mailwall.sync.api import problem_of
from mailwall.sync.errors import DownloadError
from mailwall.web.rest import PROBLEMS, Problem

router = Router()

_FILE: dict[Any, Any] = {200: None, frozenset({410, 502, 504}): Problem, **PROBLEMS}


@router.get("/messages/{int:message_id}/attachments/{int:attachment_id}", response=_FILE)
def read_attachment(request: HttpRequest, message_id: int, attachment_id: int) -> HttpResponseBase:
    """The attachment's bytes, from the mail server now."""
    viewer: Any = request.user
    try:
        return responses.file_response(attachments.open_attachment(viewer, message_id, attachment_id))
    except DownloadError as error:
        raise problem_of(error) from error


@router.get("/messages/{int:message_id}/attachments.zip", response=_FILE)
def read_all_attachments(request: HttpRequest, message_id: int) -> HttpResponseBase:
    """All attachments in one archive."""
    viewer: Any = request.user
    try:
        return responses.file_response(attachments.open_zip(viewer, message_id))
    except DownloadError as error:
        raise problem_of(error) from error


@router.get("/messages/{int:message_id}/original", response=_FILE)
def read_original(request: HttpRequest, message_id: int) -> HttpResponseBase:
    """The whole mail as the mail server has it (.eml)."""
    viewer: Any = request.user
    try:
        return responses.file_response(attachments.open_original(viewer, message_id))
    except DownloadError as error:
        raise problem_of(error) from error
