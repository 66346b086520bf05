"""Addresses of this room's pages. `/contacts/<id>/` itself is the wall's."""

from __future__ import annotations

from django.urls import path

from mailwall.contacts import views

app_name = "contacts"
urlpatterns = [
    path("contacts/", views.list_contacts, name="list"),
    path("contacts/new/", views.new_contact, name="new"),
    path("contacts/company-options/", views.company_options, name="company_options"),
    path("contacts/<int:contact_id>/edit/", views.edit_contact, name="edit"),
    path("contacts/<int:contact_id>/delete/", views.delete_contact, name="delete"),
]
