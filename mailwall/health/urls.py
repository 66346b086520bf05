"""Addresses of the metrics and of System status."""

from __future__ import annotations

from django.urls import path

from mailwall.health import views

app_name = "health"
urlpatterns = [
    path("metrics", views.metrics_text, name="metrics"),
    path("settings/system/", views.system, name="system"),
]
