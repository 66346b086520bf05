"""Writes of notes, and of posts that higher rooms tell."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from mailwall.contacts.models import Contact
from mailwall.team.models import User
from mailwall.wall import search
from mailwall.wall.errors import NoteInvalid, NoteNotYours
from mailwall.wall.models import Note, Post

MAX_NOTE_LENGTH = 50_000


def add_note(author: User, contact: Contact, text: str) -> Note:
    """Write a note on a contact's wall and make it searchable.

    :raises NoteInvalid: no text, or more than 50,000 characters.
    """
    text = _checked(text)
    with transaction.atomic():
        # whole seconds, as mail has them: walls order both by second, then by id
        now = timezone.now().replace(microsecond=0)
        note = Note.objects.create(contact=contact, author=author, text=text, created_at=now)
        search.index_note(note)
    return note


def edit_note(author: User, note: Note, text: str) -> Note:
    """Change the text of one's own note; its place on the wall stays.

    :raises NoteInvalid: no text, or more than 50,000 characters.
    :raises NoteNotYours: `author` did not write it.
    """
    _require_author(author, note)
    note.text = _checked(text)
    with transaction.atomic():
        note.save(update_fields=["text", "updated_at"])
        search.index_note(note)
    return note


def delete_note(author: User, note: Note) -> None:
    """Delete one's own note.

    :raises NoteNotYours: `author` did not write it.
    """
    _require_author(author, note)
    with transaction.atomic():
        search.forget_note(note.pk)
        note.delete()


def add_posts(posts: Sequence[Post]) -> None:
    """Put posts onto the walls of their contacts; joins a transaction."""
    for post in posts:
        post.at = post.at.replace(microsecond=0)  # whole seconds, as mail has them
    Post.objects.bulk_create(posts)


def _require_author(author: User, note: Note) -> None:
    if note.author_id != author.pk:
        raise NoteNotYours(_("Only its author can change or delete a note."))


def _checked(text: str) -> str:
    text = text.replace("\x00", "").replace("\r\n", "\n").strip()
    if not text:
        raise NoteInvalid(_("Write something first."))
    if len(text) > MAX_NOTE_LENGTH:
        raise NoteInvalid(_("A note holds at most 50,000 characters."))
    return text
