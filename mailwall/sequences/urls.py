"""Addresses of this room's pages and fragments."""

from __future__ import annotations

from django.urls import path

from mailwall.sequences import goodbye

app_name = "sequences"
urlpatterns = [
    path("unsubscribe/<str:token>/", goodbye.unsubscribe, name="unsubscribe"),
]
