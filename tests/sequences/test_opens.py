"""Opens: off, unless the admin allows them and the owner wants them; told apart from machines; our own never count."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from mailwall.mailstore.models import MessageBody
from mailwall.mime import pixels
from mailwall.mime.html import clean_html
from mailwall.sending.models import Outgoing
from mailwall.sequences import opens, queries, rules, services
from mailwall.sequences.errors import SequenceInvalid
from mailwall.sequences.models import Enrolment, StepRun
from mailwall.sequences.models import Sequence as SequenceRow
from mailwall.sequences.services import SequenceInput
from mailwall.team import services as team_services
from mailwall.team.models import Workspace
from tests.cast import Api
from tests.sequences.conftest import START

pytestmark = pytest.mark.django_db
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def address(settings):
    settings.BASE_URL = "https://crm.ours.example"


@pytest.fixture
def allowed(cast, address):
    team_services.update_workspace(cast.erin, may_measure_opens=True)


@pytest.fixture
def measured(story, allowed) -> SequenceRow:
    """A sequence that measures, with one mail that left."""
    sequence = story.sequence(measures_opens=True)
    story.enrol(sequence, story.contact("Ewa"))
    [mail] = story.run()
    Outgoing.objects.filter(pk=mail.pk).update(sent_at=START)
    story.later(minutes=5)
    return sequence


def picture() -> str:
    """The path of the picture in the mail that left, as it stands there."""
    html = MessageBody.objects.get().html
    link = opens.link_for(Enrolment.objects.get().pk, 1)
    assert html.count(link) == 1
    return link.removeprefix("https://crm.ours.example")


def look(path: str, agent: str = FIREFOX, client: Client | None = None, method: str = "get", **headers: str):
    return getattr(client or Client(), method)(path, headers={"user-agent": agent, **headers})


def counted() -> tuple[int, int]:
    return StepRun.objects.values_list("opens", "machine_opens").get()


def test_by_default_no_mail_has_a_picture_and_the_form_offers_none(story, address):
    story.enrol(story.sequence(), story.contact("Ewa"))
    story.run()
    assert "<img" not in MessageBody.objects.get().html
    client = Client()
    client.force_login(story.cast.alice)
    page = client.get("/sequences/new/").content.decode()
    assert "measure_opens" not in page and "An administrator can allow it." in page


def test_an_opening_is_counted_with_its_first_and_last_time(story, measured):
    for _ in range(3):
        answer = look(picture())
        story.later(hours=1)
    assert answer.status_code == 200 and answer["Content-Type"] == "image/gif" and answer.content[:6] == b"GIF89a"
    assert answer["Cache-Control"] == "no-store" and not answer.cookies
    run = StepRun.objects.get()
    assert (run.opens, run.machine_opens) == (3, 0)
    assert run.last_opened_at - run.first_opened_at == timedelta(hours=2)
    numbers = queries.numbers_of(measured)[1]
    assert (numbers.measured, numbers.opened, numbers.opened_percent, numbers.opened_by_machines) == (1, 1, 100, 0)


@pytest.mark.parametrize(
    ("agent", "request_fields"),
    [
        ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", {}),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", {}),
        ("Mozilla/5.0", {}),
        ("", {}),
        ("BarracudaCentral/1.0", {}),
        ("Mozilla/5.0 (compatible; Proofpoint URL Defense)", {}),
        ("Microsoft Office Existence Discovery", {}),
        ("curl/8.5.0", {}),
        (FIREFOX, {"method": "head"}),
        (FIREFOX, {"sec-purpose": "prefetch;prerender"}),
    ],
)
def test_machines_are_counted_apart(measured, agent, request_fields):
    look(picture(), agent, **request_fields)
    assert counted() == (0, 1)
    assert queries.numbers_of(measured)[1].opened_by_machines == 1


@pytest.mark.parametrize("agent", [FIREFOX, "Microsoft Outlook 16.0; Microsoft Outlook 16.0.5; ms-office; MSOffice 16"])
def test_people_are_not_taken_for_machines(agent):
    assert not rules.is_machine(agent, seconds=11)


def test_what_loads_the_picture_within_seconds_of_leaving_or_before_is_a_machine(story, measured):
    story.clock.move_to(START + timedelta(seconds=9))
    look(picture())
    Outgoing.objects.update(sent_at=None)
    story.clock.move_to(START + timedelta(days=1))
    look(picture())
    assert counted() == (0, 2)


@pytest.mark.parametrize("name", ["alice", "bob", "charlie", "erin"])
def test_our_own_looks_never_count(story, measured, name):
    client = Client()
    client.force_login(getattr(story.cast, name))
    assert look(picture(), client=client).status_code == 200
    assert counted() == (0, 0)


def test_what_mailwall_shows_of_the_mail_has_no_picture(story, measured):
    message = MessageBody.objects.get()
    client = Client()
    client.force_login(story.cast.alice)
    frame = client.get(f"/mail/{message.pk}/frame/?images=1")
    shown = Api(story.cast.alice).get(f"/messages/{message.pk}").json()["html"]
    assert frame.status_code == 200 and "Nice to meet you" in frame.content.decode() and "Nice to meet you" in shown
    assert "opened/" not in frame.content.decode() + shown + clean_html(message.html)


def test_a_made_up_picture_gets_the_same_answer_and_counts_nothing(measured):
    path = picture()
    forged = [path.replace("-1.", "-2."), path[:-8] + "AAAA.gif", "/opened/x.gif", "/opened/%00.gif"]
    real = look(path)
    for each in forged:
        answer = look(each)
        assert (answer.status_code, answer.content) == (200, real.content), each
    assert counted() == (1, 0) and look(path, method="post").status_code == 405


def test_switching_off_and_the_admins_no_stop_it_at_once(story, measured):
    alice, erin = story.cast.alice, story.cast.erin
    team_services.update_workspace(erin, may_measure_opens=False)
    look(picture())
    story.later(days=4)
    [second] = story.run()
    assert not pixels.is_pixel(MessageBody.objects.get(pk=second.message_id).html)
    team_services.update_workspace(erin, may_measure_opens=True)
    services.update_sequence(alice, measured.pk, SequenceInput(measures_opens=False))
    look(opens.link_for(Enrolment.objects.get().pk, 1))
    assert not StepRun.objects.exclude(opens=0, machine_opens=0).exists()


def test_the_owner_can_switch_it_on_only_where_it_is_allowed_and_can_work(story, settings):
    sequence, alice = story.sequence(), story.cast.alice
    assert refused(alice, sequence) == "opens_forbidden"
    team_services.update_workspace(story.cast.erin, may_measure_opens=True)
    settings.BASE_URL = "http://127.0.0.1:8000"
    assert refused(alice, sequence) == "opens_no_address"
    client = Client()
    client.force_login(alice)
    assert "set MAILWALL_BASE_URL" in client.get(f"/sequences/{sequence.pk}/rules/").content.decode()
    settings.BASE_URL = "https://crm.ours.example"
    page = client.get(f"/sequences/{sequence.pk}/rules/").content.decode()
    assert 'name="measure_opens"' in page and "hidden picture" in page
    assert services.update_sequence(alice, sequence.pk, SequenceInput(measures_opens=True)).measures_opens
    assert not services.duplicate_sequence(alice, sequence.pk, name="Copy").measures_opens


def refused(owner, sequence) -> str:
    with pytest.raises(SequenceInvalid) as caught:
        services.update_sequence(owner, sequence.pk, SequenceInput(measures_opens=True))
    return caught.value.problems[0].code


def test_the_sums_are_told_to_who_reads_the_sequence_while_it_measures(story, measured):
    api = Api(story.cast.alice)
    look(picture())
    path = f"/sequences/{measured.pk}"
    numbers = api.get(path).json()["steps"][0]["numbers"]
    assert (numbers["measured"], numbers["opened"], numbers["opened_by_machines"]) == (1, 1, 0)
    client = Client()
    client.force_login(story.cast.alice)
    assert "opened 1 (100 %), by machines 0" in client.get(f"/sequences/{measured.pk}/").content.decode()
    assert Api(story.cast.charlie).get(path).status_code == 404
    assert api.call("PATCH", path, {"measure_opens": False}).json()["measure_opens"] is False
    assert "opened" not in api.get(path).json()["steps"][0]["numbers"]
    assert "opened 1" not in client.get(f"/sequences/{measured.pk}/").content.decode()


def test_only_admins_allow_it(story):
    client = Client()
    client.force_login(story.cast.bob)
    assert client.post("/settings/sequences/opens/", {"is_allowed": "on"}).status_code == 403
    client.force_login(story.cast.erin)
    assert client.post("/settings/sequences/opens/", {"is_allowed": "on"}).status_code == 302
    assert Workspace.objects.get().may_measure_opens
    assert client.post("/settings/sequences/opens/", {}).status_code == 302
    assert not Workspace.objects.get().may_measure_opens


@pytest.mark.parametrize(
    ("url", "is_reachable"),
    [("http://127.0.0.1:8000", False), ("http://localhost", False), ("http://[::1]:80", False), ("http://0.0.0.0", False),
     ("https://crm.ours.example", True), ("http://192.168.1.4:8000", True)],
)  # fmt: skip
def test_an_address_of_this_machine_alone_reaches_nobody(url, is_reachable):
    assert rules.is_reachable(url) is is_reachable
