"""What the clock starts."""

from __future__ import annotations

from django.utils import timezone

from mailwall import queue
from mailwall.assignment import marks, senders, services
from mailwall.assignment.models import Review
from mailwall.team import queries as team_queries


def review_if_due() -> None:
    """Start the daily review when its time has come; any worker may ask at any time, one of them gets it."""
    review = services.claim_daily_review(timezone.now(), team_queries.workspace())
    if review is not None:
        run_review(review.pk)


@queue.bulk.task()
def run_review(review_id: int) -> None:
    review = Review.objects.get(pk=review_id)
    services.review_unassigned(trigger=review.trigger, review=review)
    marks.heal()
    senders.rebuild()
