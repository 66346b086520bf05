"""How an enrolment ends or is put off: by mail that arrives, by what became of a mail, by a person.

Mail is judged inside the transaction that stored it, so that no step can run between the two. All is set-based; a batch
of mail that concerns nobody costs two queries.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import F, OuterRef, Q, Subquery
from django.utils import timezone

from mailwall.contacts import hooks as contact_hooks
from mailwall.contacts.models import ContactAddress
from mailwall.mailstore import own_copies
from mailwall.mailstore.models import Direction, Message, MessageBody, Participant, ParticipantRole
from mailwall.mime.html import split_quoted
from mailwall.sequences import absence, notices, posts, queries, timing
from mailwall.sequences.models import Enrolment, EnrolmentQuerySet, EnrolmentState, StepRun
from mailwall.team.models import User

#: clocks differ, and who wrote a moment before being enrolled has written
TOLERANCE = timedelta(minutes=2)
AWAY_WORKING_DAYS = 3
AWAY, LIST = "auto-replied", "list"


def end(
    enrolment_ids: Iterable[int],
    *,
    state: str,
    reason: str,
    reply: int | None = None,
    by: User | None = None,
    only_open: bool = False,
) -> list[int]:
    """End those that still listen; gives which. Inside a transaction. reply: the mail that ended it.

    only_open: those that finished lately stay finished.
    """
    now = timezone.now()
    wanted = Enrolment.objects.filter(pk__one_of=list(enrolment_ids))
    ended = _locked(wanted.open() if only_open else wanted.listening(now))
    ids = [enrolment.pk for enrolment in ended]
    values = {"state": state, "reason": reason, "reply_id": reply}
    Enrolment.objects.filter(pk__one_of=ids).update(**values, ended_at=now, next_run_at=None)
    for enrolment in ended:
        enrolment.state, enrolment.reason, enrolment.reply_id = state, reason, reply
    _credit(ids, state)
    posts.tell_end(ended, by=by, at=now)
    if state == EnrolmentState.REPLIED:
        notices.tell_replies(ended)
    return ids


def _locked(rows: EnrolmentQuerySet) -> list[Enrolment]:
    """These, held for the transaction: of two that end one, the second finds it ended. (SQLite holds everything.)"""
    return list(rows.select_for_update(of=("self",)).select_related("sequence__owner").order_by("pk"))


def finish(enrolment_ids: Sequence[int], now: datetime) -> None:
    """Nothing is left to do for these. Inside a transaction."""
    done = _locked(Enrolment.objects.filter(pk__one_of=enrolment_ids, state=EnrolmentState.ACTIVE))
    rows = Enrolment.objects.filter(pk__one_of=[enrolment.pk for enrolment in done])
    rows.update(state=EnrolmentState.FINISHED, reason="", ended_at=now, next_run_at=None)
    for enrolment in done:
        enrolment.state, enrolment.reason = EnrolmentState.FINISHED, ""
    posts.tell_end(done, by=None, at=now)


def _credit(enrolment_ids: Sequence[int], state: str) -> None:
    """Count the end with the last step that ran."""
    last = StepRun.objects.filter(enrolment=OuterRef("pk")).order_by("-ran_at", "-pk").values("pk")[:1]
    rows = Enrolment.objects.filter(pk__one_of=enrolment_ids).annotate(last=Subquery(last))
    runs = [run for run in rows.values_list("last", flat=True) if run]
    StepRun.objects.filter(pk__one_of=runs).update(ended_as=state)


# -- mail that arrives


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrival:
    """A mail that may end or put off something. answers: Message-IDs that it answers."""

    id: int
    automatic: str
    at: datetime
    senders: frozenset[str]
    answers: frozenset[str]


def note_arrivals(message_ids: Sequence[int], history: bool) -> None:
    """Listener of mailstore.hooks. Mail fetched as history is no news."""
    now = timezone.now()
    if history or not Enrolment.objects.listening(now).exists():
        return
    arrivals = _arrivals(message_ids)
    if not arrivals:
        return
    ends: dict[int, tuple[str, int]] = {}
    puts_off: dict[tuple[int, int], _Arrival] = {}
    for enrolment_id, arrival, reason in (*_by_thread(arrivals, now), *_by_sender(arrivals, now)):
        if arrival.automatic == AWAY:
            puts_off[enrolment_id, arrival.id] = arrival
        elif not arrival.automatic or (arrival.automatic == LIST and reason == "reply"):
            ends.setdefault(enrolment_id, (reason, arrival.id))
    for enrolment_id, (reason, message_id) in ends.items():
        end([enrolment_id], state=EnrolmentState.REPLIED, reason=reason, reply=message_id)
    for (enrolment_id, _message_id), arrival in puts_off.items():
        if enrolment_id not in ends:
            _put_off(enrolment_id, arrival)


def note_addresses(addresses: Sequence[str]) -> None:
    """Listener of contacts.hooks: mail from an address that a contact gained counts from when it was enrolled."""
    rows = Enrolment.objects.open().filter(contact__addresses__address__in=addresses)
    since = rows.order_by("enrolled_at").values_list("enrolled_at", flat=True).first()
    if since is None:
        return
    mails = Participant.objects.filter(address__address__in=addresses, role=ParticipantRole.FROM)
    fresh = mails.filter(message__internaldate__gte=since - TOLERANCE)
    note_arrivals(list(fresh.values_list("message_id", flat=True)), history=False)


def note_contact_leaves(contact_id: int) -> None:
    """Listener of contacts.hooks."""
    ids = list(Enrolment.objects.open().filter(contact=contact_id).values_list("pk", flat=True))
    end(ids, state=EnrolmentState.STOPPED, reason="contact_deleted", only_open=True)


def _arrivals(message_ids: Sequence[int]) -> list[_Arrival]:
    """Received mail of these, that a person or an absence note wrote, without what we wrote ourselves."""
    kinds = Q(automatic__in=("", AWAY)) | (Q(automatic=LIST) & ~Q(list_id=""))
    rows = Message.objects.filter(kinds, id__one_of=message_ids, direction=Direction.RECEIVED).values_list(
        "pk", "automatic", "internaldate", "in_reply_to", "references"
    )
    mails = {row[0]: row for row in rows}
    senders: dict[int, set[str]] = {}
    people = Participant.objects.filter(message_id__one_of=list(mails), role=ParticipantRole.FROM)
    for message_id, address in people.values_list("message_id", "address__address"):
        senders.setdefault(message_id, set()).add(address)
    ours = contact_hooks.own_addresses_among(sorted(set().union(*senders.values()))) if senders else set()
    return [
        _Arrival(
            id=pk,
            automatic=automatic,
            at=at,
            senders=frozenset(senders.get(pk, ())),
            answers=own_copies.original_ids(filter(None, (in_reply_to, *references))),
        )
        for pk, automatic, at, in_reply_to, references in mails.values()
        if not senders.get(pk, set()) & ours
    ]


_Match = tuple[int, _Arrival, str]


def _by_thread(arrivals: Sequence[_Arrival], now: datetime) -> list[_Match]:
    """Answers to a step, whoever wrote them."""
    names = sorted(set().union(*(arrival.answers for arrival in arrivals)))
    listening = Enrolment.objects.listening(now)
    runs = (
        StepRun.objects.filter(message_id__one_of=names, enrolment__in=listening) if names else StepRun.objects.none()
    )
    found = dict(runs.values_list("message_id", "enrolment_id"))
    return [
        (found[name], arrival, "reply") for arrival in arrivals for name in sorted(arrival.answers) if name in found
    ]


def _by_sender(arrivals: Sequence[_Arrival], now: datetime) -> list[_Match]:
    """Any mail from an address of the contact, or of its company where the sequence wants that, to whatever account."""
    senders = sorted(set().union(*(arrival.senders for arrival in arrivals)))
    listening = Enrolment.objects.listening(now)
    found: dict[str, list[tuple[int, datetime, str]]] = {}
    own = listening.filter(contact__addresses__address__one_of=senders)
    for pk, since, address in own.values_list("pk", "enrolled_at", "contact__addresses__address"):
        found.setdefault(address, []).append((pk, since, "other_mail"))
    for pk, since, address in listening.filter(address__one_of=senders).values_list("pk", "enrolled_at", "address"):
        found.setdefault(address, []).append((pk, since, "other_mail"))
    for address, pk, since in _of_companies(senders, now):
        found.setdefault(address, []).append((pk, since, "company_mail"))
    return [
        (pk, arrival, reason)
        for arrival in arrivals
        for address in sorted(arrival.senders)
        for pk, since, reason in found.get(address, ())
        if arrival.at >= since - TOLERANCE and not (reason == "company_mail" and arrival.automatic)
    ]


def _of_companies(senders: Sequence[str], now: datetime) -> list[tuple[str, int, datetime]]:
    """(address, enrolment, since) of enrolments that mail from their company ends."""
    watching = Enrolment.objects.listening(now).filter(sequence__end_on_company_reply=True)
    if not watching.exists():
        return []
    rows = ContactAddress.objects.filter(address__one_of=senders).values_list(
        "address", "contact_id", "contact__company_id"
    )
    companies: dict[int, set[str]] = {}
    for address, contact_id, company_id in rows:
        for company in filter(None, (contact_id, company_id)):
            companies.setdefault(company, set()).add(address)
    of_them = watching.filter(Q(contact__company__in=companies) | Q(contact__in=companies)).annotate(
        company=F("contact__company_id")
    )
    return [
        (address, pk, since)
        for pk, since, contact_id, company_id in of_them.values_list("pk", "enrolled_at", "contact_id", "company")
        for company in filter(None, (contact_id, company_id))
        for address in companies.get(company, ())
    ]


def _put_off(enrolment_id: int, arrival: _Arrival) -> None:
    """Somebody is away: go on when they are back, if that can be read, else some working days later."""
    enrolment = Enrolment.objects.select_related("sequence").get(pk=enrolment_id)
    calendar = queries.calendar_of(enrolment.sequence, enrolment.contact_id)
    today = timing.local_day(arrival.at, calendar.zone)
    body = MessageBody.objects.filter(pk=arrival.id).values_list("text", flat=True).first() or ""
    back = absence.find_return(split_quoted(body)[0], today) or _after_some_days(today, calendar.holidays)
    fraction = timing.fraction_of(enrolment.sequence_id, enrolment.contact_id or 0, 0)
    until = timing.back_on(back, calendar, fraction=fraction)
    open_row = Enrolment.objects.open().filter(pk=enrolment_id)
    open_row.filter(Q(not_before__isnull=True) | Q(not_before__lt=until)).update(not_before=until, reason="away")
    open_row.filter(next_run_at__lt=until).update(next_run_at=until)


def _after_some_days(today: date, holidays: frozenset[date]) -> date:
    return timing.add_working_days(today, AWAY_WORKING_DAYS, holidays)
