"""Forms of the browser door."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from mailwall.wall.services import MAX_NOTE_LENGTH


class NoteForm(forms.Form):
    text = forms.CharField(
        label=_("Note"),
        max_length=MAX_NOTE_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3, "maxlength": MAX_NOTE_LENGTH}),
        error_messages={"required": _("Write something first.")},
    )
