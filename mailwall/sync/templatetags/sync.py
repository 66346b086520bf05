"""The ledger's codes in words."""

from __future__ import annotations

from django import template

from mailwall.sync import wording

register = template.Library()
register.filter("rule_in_words", wording.rule)
register.filter("reason_in_words", wording.reason)
register.filter("role_in_words", lambda role: str(wording.ROLES.get(role, "")))
register.filter("why_not_read", lambda role: str(wording.WHY_NOT_READ.get(role, "")))
