"""The one REST API, put together from the routers of the rooms."""

from __future__ import annotations

from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from mailwall.team.auth import TokenAuth
from mailwall.web import rest


class Api(NinjaAPI):
    """Ninja, with the one thing told right that it cannot know: that our errors are problems (RFC 9457)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._documents: dict[str, OpenAPISchema] = {}

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        """Made at the first question: it takes a processor more than a second."""
        prefix = self.get_root_path(path_params or {}) if path_prefix is None else path_prefix
        if prefix not in self._documents:
            self._documents[prefix] = _with_problems(super().get_openapi_schema(path_prefix=prefix))
        return self._documents[prefix]


def _with_problems(document: OpenAPISchema) -> OpenAPISchema:
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                content = response.get("content", {})
                if int(status) >= 400 and "application/json" in content:
                    content["application/problem+json"] = content.pop("application/json")
    return document


api = Api(
    title="Mailwall",
    version="1",
    urls_namespace="api",
    docs_url=None,
    openapi_url="/openapi.json",
    auth=TokenAuth(),
    description="Mail from connected accounts becomes the history of contacts. A guide: docs/api.md.",
)
rest.install_error_handlers(api)

api.add_router("", "mailwall.team.api.router", tags=["users and teams"])
api.add_router("", "mailwall.contacts.api.router", tags=["contacts"])
api.add_router("", "mailwall.email_accounts.api.router", tags=["email accounts"])
api.add_router("", "mailwall.sync.api.router", tags=["email accounts"])
api.add_router("", "mailwall.sync.api_folders.router", tags=["email accounts"])
api.add_router("", "mailwall.sync.api_backfill.router", tags=["email accounts"])
api.add_router("", "mailwall.sync.api_files.router", tags=["messages"])
api.add_router("", "mailwall.assignment.api.router", tags=["messages"])
api.add_router("", "mailwall.wall.api.router", tags=["wall and messages"])
api.add_router("", "mailwall.sending.api.router", tags=["sending"])
api.add_router("", "mailwall.sending.api_signatures.router", tags=["sending"])
api.add_router("", "mailwall.dashboard.api.router", tags=["dashboard"])
api.add_router("", "mailwall.sequences.api.router", tags=["sequences"])
