"""Tasks that steps made: read, done, open again. Each is its owner's alone."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import timezone

from mailwall.sequences.models import Task
from mailwall.team.models import User

SHOWN = 50


def open_tasks(viewer: User, *, contact_ids: Sequence[int] | None = None) -> list[Task]:
    """What the viewer has to do, oldest first, of these contacts or of all."""
    rows = Task.objects.filter(owner=viewer, done_at__isnull=True).select_related("contact", "sequence")
    return list((rows if contact_ids is None else rows.filter(contact__in=contact_ids))[:SHOWN])


def set_done(viewer: User, task_id: int, is_done: bool) -> Task | None:
    """Tick a task off, or take that back; None when it is not the viewer's."""
    task = Task.objects.filter(pk=task_id, owner=viewer).select_related("contact").first()
    if task is not None and (task.done_at is not None) != is_done:
        task.done_at = timezone.now() if is_done else None
        task.save(update_fields=["done_at"])
    return task
