"""Mail to a sequence's owner when somebody replied; off until the administrator set up system mail.

It names the contact and the sequence, nothing of the mail: its owner may not be the one who may read it.
"""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Sequence
from functools import partial

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from mailwall.contacts.models import Contact
from mailwall.sequences.models import Enrolment

logger = logging.getLogger(__name__)


def tell_replies(enrolments: Sequence[Enrolment]) -> None:
    """Say it after the commit; wants `sequence.owner` loaded. A mail that cannot be sent stops nothing."""
    for enrolment in enrolments:
        transaction.on_commit(partial(_send, enrolment))


def _send(enrolment: Enrolment) -> None:
    owner = enrolment.sequence.owner
    contact = Contact.objects.filter(pk=enrolment.contact_id or 0).first()
    if contact is None or not owner.is_active:
        return
    with translation.override(owner.language or settings.LANGUAGE_CODE):
        names = {"contact": contact.name, "sequence": enrolment.sequence.name}
        subject = _("%(contact)s replied to “%(sequence)s”") % names
        text = _("%(contact)s wrote, so the sequence “%(sequence)s” has ended for them.\n\n%(link)s\n") % {
            **names,
            "link": settings.BASE_URL + reverse("wall:contact", args=[contact.pk]),
        }
    try:
        send_mail(" ".join(subject.split()), text, None, [owner.email])
    except (smtplib.SMTPException, OSError) as error:
        extra = {"enrolment_id": enrolment.pk, "user_id": owner.pk, "reason": type(error).__name__}
        logger.warning("notice not sent", extra=extra)
