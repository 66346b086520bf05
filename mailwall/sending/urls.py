"""Addresses of this room's pages and fragments."""

from __future__ import annotations

from django.urls import path

from mailwall.sending import composer_parts, composing, outbox_views, signature_views, template_views

app_name = "sending"
ACCOUNTS = "settings/email-accounts/"
urlpatterns = [
    path(f"{ACCOUNTS}signature/", signature_views.signature, name="signature"),
    path(f"{ACCOUNTS}signature/preview/", signature_views.preview, name="signature_preview"),
    path(f"{ACCOUNTS}templates/", template_views.list_templates, name="templates"),
    path(f"{ACCOUNTS}templates/new/", template_views.new_template, name="new_template"),
    path(f"{ACCOUNTS}templates/preview/", template_views.preview_template, name="preview_template"),
    path(f"{ACCOUNTS}templates/<int:template_id>/", template_views.edit_template, name="edit_template"),
    path(f"{ACCOUNTS}templates/<int:template_id>/delete/", template_views.delete_template, name="delete_template"),
    path(f"{ACCOUNTS}templates/<int:template_id>/restore/", template_views.restore_template, name="restore_template"),
    path("compose/", composing.open_composer, name="compose"),
    path("compose/people/", composer_parts.suggest_people, name="people"),
    path("compose/from/", composer_parts.show_sender_parts, name="sender_parts"),
    path("compose/signature/<int:account_id>/", composer_parts.show_signature, name="signature_frame"),
    path("compose/quote/<int:message_id>/", composer_parts.show_quote, name="quote_frame"),
    path("compose/contact/<int:contact_id>/", outbox_views.contact_slot, name="contact_slot"),
    path("compose/<uuid:draft_id>/", composing.open_draft, name="draft"),
    path("compose/<uuid:draft_id>/save/", composing.save, name="save_draft"),
    path("compose/<uuid:draft_id>/plain/", composing.switch_plain, name="switch_plain"),
    path(
        "compose/<uuid:draft_id>/edit-signature/", composing.place_in_text, {"also_quote": False}, name="edit_signature"
    ),
    path("compose/<uuid:draft_id>/edit-quote/", composing.place_in_text, {"also_quote": True}, name="edit_quote"),
    path("compose/<uuid:draft_id>/template/", composing.use_template, name="use_template"),
    path("compose/<uuid:draft_id>/files/", composing.attach, name="attach"),
    path("compose/<uuid:draft_id>/files/<int:file_id>/remove/", composing.detach, name="detach"),
    path("compose/<uuid:draft_id>/send/", composing.send, name="send"),
    path("compose/<uuid:draft_id>/discard/", composing.discard, name="discard"),
    path("compose/<uuid:draft_id>/restore/", composing.restore, name="restore"),
    path("mail/drafts/", outbox_views.list_drafts, name="drafts"),
    path("mail/scheduled/", outbox_views.list_scheduled, name="scheduled"),
    path("mail/tabs/", outbox_views.mail_tabs, name="mail_tabs"),
    path("mail/<int:message_id>/delivery/", outbox_views.delivery, name="delivery"),
    path("outgoing/undo/", outbox_views.undo_toasts, name="undo_toasts"),
    path("outgoing/<int:outgoing_id>/undo/", outbox_views.undo, name="undo"),
    path("outgoing/<int:outgoing_id>/cancel/", outbox_views.cancel, name="cancel"),
    path("outgoing/<int:outgoing_id>/edit/", outbox_views.edit_again, name="edit_again"),
    path("outgoing/<int:outgoing_id>/now/", outbox_views.send_now, name="send_now"),
    path("outgoing/<int:outgoing_id>/settle/", outbox_views.settle, name="settle"),
    path("outgoing/<int:outgoing_id>/retry/", outbox_views.retry, name="retry"),
]
