"""What the wall tells of sequences: that a contact was enrolled, and how it ended.

A post is as visible as the mail of the sending account. That a mail ended the sequence is said only to those who may
see that mail; the others read that it ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext_noop as _

from mailwall.sequences.models import Enrolment, EnrolmentState
from mailwall.team.models import User
from mailwall.wall import services as wall
from mailwall.wall.models import Post

ENROLLED = _("%(by)s enrolled this contact in the sequence “%(sequence)s”.")
ENDED = _("The sequence “%(sequence)s” has ended.")
_ENDS = {
    "reply": _("The sequence “%(sequence)s” has ended: they replied."),
    "other_mail": _("The sequence “%(sequence)s” has ended: they wrote another email."),
    "company_mail": _("The sequence “%(sequence)s” has ended: their company wrote."),
    "hard_bounce": _("The sequence “%(sequence)s” has ended: the mail came back as undeliverable."),
    "refused": _("The sequence “%(sequence)s” has ended: their mail server refused the address."),
    "unsubscribed": _("The sequence “%(sequence)s” has ended: they unsubscribed."),
    "suppressed": _("The sequence “%(sequence)s” has ended: this address wants no such mail."),
    "by_hand": _("The sequence “%(sequence)s” was ended by hand."),
    "account_gone": _("The sequence “%(sequence)s” has ended: its email account was removed."),
    "archived": _("The sequence “%(sequence)s” has ended: it was archived."),
}
FINISHED = _("The sequence “%(sequence)s” has run to its last step.")


def tell_enrolled(enrolments: Sequence[Enrolment], *, by: User, at: datetime) -> None:
    """Post that these contacts were enrolled; wants `sequence` loaded."""
    wall.add_posts([post for row in enrolments if (post := _post(row, ENROLLED, by=by, at=at))])


def tell_end(enrolments: Sequence[Enrolment], *, by: User | None, at: datetime) -> None:
    """Post how these ended; wants `sequence` loaded. Nothing about a contact that is being deleted."""
    posts = []
    for row in enrolments:
        msgid = FINISHED if row.state == EnrolmentState.FINISHED else _ENDS.get(row.reason, ENDED)
        quiet = ENDED if row.reply_id else ""
        if row.reason != "contact_deleted" and (post := _post(row, msgid, by=by, at=at, quiet=quiet)):
            posts.append(post)
    wall.add_posts(posts)


def _post(row: Enrolment, msgid: str, *, by: User | None, at: datetime, quiet: str = "") -> Post | None:
    if row.contact_id is None or row.sequence.account_id is None:
        return None
    return Post(
        contact_id=row.contact_id,
        account_id=row.sequence.account_id,
        message_id=row.reply_id,
        by=by,
        msgid=msgid,
        quiet_msgid=quiet,
        params={"sequence": row.sequence.name, "by": str(by or "")},
        at=at,
    )
