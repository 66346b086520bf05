"""The table of notes."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from mailwall.contacts.models import Contact


class Note(models.Model):
    """What a user wrote on a contact's wall. Every user may read it; only its author edits or deletes it."""

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="notes")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    text = models.TextField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["contact", "-created_at", "-id"], name="note_by_contact")]

    def __str__(self) -> str:
        return f"note {self.pk}"
