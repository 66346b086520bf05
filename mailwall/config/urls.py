"""Which room answers which address."""

from __future__ import annotations

from django.urls import include, path

from mailwall.config import views
from mailwall.config.api import api

urlpatterns = [
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("api/v1/", api.urls),
    path("api/docs", views.api_docs, name="api_docs"),
    path("", include("mailwall.team.urls")),
    path("", include("mailwall.contacts.urls")),
    path("", include("mailwall.email_accounts.urls")),
    path("", include("mailwall.sync.urls")),
    path("", include("mailwall.sending.urls")),
    path("", include("mailwall.assignment.urls")),
    path("", include("mailwall.wall.urls")),
    path("", include("mailwall.dashboard.urls")),
    path("", include("mailwall.sequences.urls")),
    path("", include("mailwall.health.urls")),
]

handler400 = "mailwall.web.views.bad_request"
handler403 = "mailwall.web.views.permission_denied"
handler404 = "mailwall.web.views.page_not_found"
handler500 = "mailwall.web.views.server_error"
