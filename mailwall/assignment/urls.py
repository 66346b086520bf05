"""Addresses of this room's pages and fragments."""

from __future__ import annotations

from django.urls import path

from mailwall.assignment import deeds, views

app_name = "assignment"
urlpatterns = [
    path("triage/", views.show_triage, name="triage"),
    path("triage/count/", views.nav_count, name="nav_count"),
    path("triage/messages/", views.show_messages, name="messages"),
    path("triage/review/", views.review_now, name="review_now"),
    path("triage/new-contact/", deeds.new_contact, name="new_contact"),
    path("triage/new-contacts/", deeds.new_contacts, name="new_contacts"),
    path("triage/assign/", deeds.find_contact, name="find_contact"),
    path("triage/assign/<int:contact_id>/", deeds.give_to_contact, name="give_to_contact"),
    path("triage/ignore/", deeds.ignore, name="ignore"),
    path("triage/ignored/<int:ignored_id>/stop/", deeds.stop_ignoring, name="stop_ignoring"),
    path("triage/undo/<str:word>/", deeds.undo, name="undo"),
]
