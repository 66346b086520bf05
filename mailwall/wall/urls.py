"""Addresses of this room's pages and fragments."""

from __future__ import annotations

from django.urls import path

from mailwall.wall import deeds, palette, views, walls

app_name = "wall"
urlpatterns = [
    path("contacts/<int:contact_id>/", walls.show_contact, name="contact"),
    path("contacts/<int:contact_id>/feed/", walls.show_feed, name="feed"),
    path("contacts/<int:contact_id>/notes/", walls.add_note, name="add_note"),
    path("contacts/<int:contact_id>/thread/<int:message_id>/", walls.show_thread, name="contact_thread"),
    path("notes/<int:note_id>/", walls.show_note, name="note"),
    path("notes/<int:note_id>/edit/", walls.edit_note, name="edit_note"),
    path("notes/<int:note_id>/delete/", walls.delete_note, name="delete_note"),
    path("mail/", views.list_mail, name="mail"),
    path("mail/<int:message_id>/", views.show_message, name="message"),
    path("mail/<int:message_id>/frame/", views.show_frame, name="frame"),
    path("mail/<int:message_id>/body/", views.show_body, name="body"),
    path("mail/<int:message_id>/seers/", views.show_seers, name="seers"),
    path("mail/<int:message_id>/thread/", views.show_thread, name="thread"),
    path("mail/<int:message_id>/narrow/", deeds.narrow, name="narrow"),
    path("mail/<int:message_id>/widen/", deeds.widen, name="widen"),
    path("mail/<int:message_id>/remove/", deeds.remove, name="remove"),
    path("mail/<int:message_id>/restore/", deeds.restore, name="restore"),
    path("mail/<int:message_id>/pictures/", deeds.always_show_pictures, name="always_show_pictures"),
    path("mail/<int:message_id>/no-pictures/", deeds.show_pictures_on_request, name="show_pictures_on_request"),
    path("mail/<int:message_id>/assign/", views.find_contacts, name="find_contacts"),
    path("mail/<int:message_id>/assign/<int:contact_id>/", views.assign, name="assign"),
    path("mail/<int:message_id>/unassign/<int:contact_id>/", views.unassign, name="unassign"),
    path("search", views.search_all, name="search"),
    path("search/palette", palette.show_palette, name="palette"),
]
