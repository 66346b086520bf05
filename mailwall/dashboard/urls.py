"""Addresses of this room's pages."""

from __future__ import annotations

from django.urls import path

from mailwall.dashboard import views

app_name = "dashboard"
urlpatterns = [
    path("", views.home, name="home"),
    path("dashboard/hide-checklist/", views.hide_checklist, name="hide_checklist"),
]
