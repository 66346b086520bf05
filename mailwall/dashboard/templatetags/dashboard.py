"""What the home screen's template computes."""

from __future__ import annotations

from django import template
from django.urls import NoReverseMatch, reverse

register = template.Library()


@register.simple_tag
def account_url(account_id: int) -> str:
    """The page where an account is mended, the list of accounts where there is none; both are the sync room's."""
    try:
        return reverse("sync:account_edit", args=[account_id])
    except NoReverseMatch:
        return reverse("sync:accounts")
