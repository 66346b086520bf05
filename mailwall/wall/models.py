"""The tables of notes, of posts that higher rooms tell, and of whose pictures somebody always wants to see."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from mailwall.contacts.models import Contact
from mailwall.email_accounts.models import EmailAccount, ids_visible_to
from mailwall.mailstore.models import Message
from mailwall.team.models import User


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


class PostQuerySet(models.QuerySet["Post"]):
    def visible_to(self, viewer: User) -> PostQuerySet:
        """What happened with an account's mail is seen by who may see that mail."""
        return self.filter(account__in=ids_visible_to(viewer))


class Post(models.Model):
    """What a higher room tells of a contact: `msgid % params`, in every reader's language. Never edited.

    account: who may see its mail may read the post. quiet_msgid: what those read instead who may not see `message`,
    the mail that it is about; '' where it is about none.
    """

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="posts")
    account = models.ForeignKey(EmailAccount, on_delete=models.CASCADE, related_name="+")
    message = models.ForeignKey(Message, null=True, on_delete=models.SET_NULL, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    msgid = models.CharField(max_length=300)
    quiet_msgid = models.CharField(max_length=300, blank=True)
    params = models.JSONField(default=dict)
    at = models.DateTimeField()

    objects = PostQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["contact", "-at", "-id"], name="post_by_contact")]

    def __str__(self) -> str:
        return f"post {self.pk}"


class PictureSender(models.Model):
    """An address whose pictures a user wants to see without being asked. address: as fold_address() gives it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    address = models.CharField(max_length=320)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "address"], name="picture_sender_once")]

    def __str__(self) -> str:
        return f"picture sender {self.pk}"
