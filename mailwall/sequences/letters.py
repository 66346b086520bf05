"""A step as the mail that one contact gets: fields filled, signature and goodbye link below, headers for robots.

Headers (docs/adr/0012): the outbox marks automatic mail with Auto-Submitted (RFC 3834), so that no responder that keeps
the rule answers; X-Auto-Response-Suppress tells Exchange the same, but lets absence notes through, which put a step
off. Precedence: bulk is left out: it stops nothing more, and filters take it for advertising.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from mailwall.contacts.models import Contact
from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore.models import Message
from mailwall.mime.pixels import tag_for
from mailwall.mime.types import Address
from mailwall.sending import mail_templates, placeholders, signatures
from mailwall.sending.types import Letter
from mailwall.sequences import suppressions
from mailwall.sequences.models import Step, StepKind, StepRun

_SUPPRESS = "DR, RN, NRN, AutoReply"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A filled step. missing: fields without value and fallback; nothing can be sent then."""

    subject: str
    html: str
    missing: tuple[str, ...] = ()


def write(step: Step, contact: Contact, account: EmailAccount, *, thread_subject: str = "") -> Written:
    """The mail without goodbye and signature. thread_subject: of the mail that it continues, for a step without one."""
    filled = mail_templates.render_template(step, contact, account.owner, account)
    subject = filled.subject or (f"Re: {thread_subject}" if thread_subject else "")
    return Written(subject=subject, html=filled.html, missing=filled.missing_fields)


def letter_of(
    written: Written, receiver: Address, account: EmailAccount, *, enrolment_id: int, answers: int | None, pixel: str
) -> Letter:
    """What the outbox gets. answers: the id of the message whose thread it continues. pixel: its address, or ''."""
    return Letter(
        account=account,
        to=(receiver,),
        subject=written.subject,
        html=written.html + closing(account, suppressions.link_for(enrolment_id)) + (pixel and tag_for(pixel)),
        in_reply_to=answers,
        with_signature=False,  # it stands above the goodbye
    )


def closing(account: EmailAccount, link: str) -> str:
    """Signature and goodbye, in the sender's language."""
    signature = signatures.signature_for(account.owner, account)
    with translation.override(account.owner.language or settings.LANGUAGE_CODE):
        words = _("If you do not want such emails any more: %(link)s")
        anchor = f'<a href="{escape(link)}">{escape(_("unsubscribe"))}</a>'
        goodbye = escape(words) % {"link": anchor}
    return f'{signature and "<br>"}{signature}<p style="font-size: 12px; color: #6b7280">{goodbye}</p>'


def headers_for(enrolment_id: int) -> list[tuple[str, str]]:
    """RFC 2369 and 8058 (one click), and no robot's answers."""
    return [
        ("List-Unsubscribe", f"<{suppressions.link_for(enrolment_id)}>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ("X-Auto-Response-Suppress", _SUPPRESS),
    ]


def thread_of(enrolment_id: int, account_id: int) -> tuple[int | None, str]:
    """(id, subject) of the enrolment's newest mail, which a step of the same thread answers; (None, '') without."""
    runs = StepRun.objects.filter(enrolment=enrolment_id, kind=StepKind.EMAIL).exclude(message_id="")
    names = list(runs.order_by("ran_at", "pk").values_list("message_id", flat=True))
    if not names:
        return None, ""
    mails = dict(Message.objects.filter(account=account_id, message_id__in=names).values_list("message_id", "pk"))
    first = Message.objects.filter(pk=mails.get(names[0], -1)).values_list("subject", flat=True).first() or ""
    return mails.get(names[-1]), first


def needed_fields(steps: list[Step]) -> tuple[str, ...]:
    """Fields without a fallback, in order and once: who has no value for one cannot be enrolled."""
    found: dict[str, None] = {}
    for step in steps:
        for text, as_html in ((step.subject, False), (step.html, True)):
            for placeholder in placeholders.placeholders_in(text, as_html=as_html):
                if placeholder.fallback is None:
                    found[placeholder.name] = None
    return tuple(found)
