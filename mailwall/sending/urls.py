"""Addresses of this room's pages."""

from __future__ import annotations

from django.urls import path

from mailwall.sending import signature_views

app_name = "sending"
ACCOUNTS = "settings/email-accounts/"
urlpatterns = [
    path(f"{ACCOUNTS}signature/", signature_views.signature, name="signature"),
    path(f"{ACCOUNTS}signature/preview/", signature_views.preview, name="signature_preview"),
]
