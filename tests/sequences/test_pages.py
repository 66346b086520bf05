"""Pages, fragments and the API: who may do what, and what they show."""

from __future__ import annotations

import pytest
from django.test import Client

from mailwall.sequences import enrolling, suppressions
from mailwall.sequences.models import Enrolment, Holiday, Step, Suppression, Task
from mailwall.sequences.models import Sequence as SequenceRow
from mailwall.team.models import Package, Workspace
from tests.sequences.conftest import MAIL, TASK, WAIT

pytestmark = pytest.mark.django_db


def browser(user) -> Client:
    client = Client()
    if user:
        client.force_login(user)
    return client


@pytest.fixture
def sequence(story):
    made = story.sequence(MAIL, WAIT, TASK)
    story.enrolment = story.enrol(made, story.contact("Ewa"))
    return made


READ = ["", "preview/{contact}/"]
OWN = ["rules/", "steps/new/email/", "steps/1/", "enrol/"]


def test_the_owner_reads_and_edits_everything(story, sequence):
    client = browser(story.cast.alice)
    assert "Fair" in client.get("/sequences/").content.decode()
    for path in READ + OWN:
        answer = client.get(f"/sequences/{sequence.pk}/{path.format(contact=story.enrolment.contact_id)}")
        assert answer.status_code == 200, path


def test_what_is_not_shared_does_not_exist_for_others(story, sequence):
    for user in (story.cast.bob, story.cast.charlie, story.cast.erin):
        client = browser(user)
        assert "Fair" not in client.get("/sequences/").content.decode()
        for path in READ + OWN:
            url = f"/sequences/{sequence.pk}/{path.format(contact=story.enrolment.contact_id)}"
            assert client.get(url).status_code == 404, path
        assert client.post(f"/sequences/enrolments/{story.enrolment.pk}/", {"state": "stopped"}).status_code == 404
        beside = client.get(f"/sequences/contact/{story.enrolment.contact_id}/", headers={"HX-Request": "true"})
        assert "Fair" not in beside.content.decode()
    assert browser(None).get(f"/sequences/{sequence.pk}/").status_code == 302


def test_shared_for_reading_is_read_and_not_changed(story, sequence, api):
    SequenceRow.objects.update(sharing="team")
    bob, charlie = browser(story.cast.bob), browser(story.cast.charlie)
    page = bob.get(f"/sequences/{sequence.pk}/")
    assert page.status_code == 200 and "steps/new" not in page.content.decode()
    assert charlie.get(f"/sequences/{sequence.pk}/").status_code == 404
    for path in ("rules/", "enrol/"):
        assert bob.get(f"/sequences/{sequence.pk}/{path}").status_code == 403
    assert bob.post(f"/sequences/{sequence.pk}/archive/").status_code == 403
    assert api(story.cast.bob).call("PATCH", f"/sequences/{sequence.pk}", {"name": "Mine"}).status_code == 403
    assert api(story.cast.bob).get(f"/sequences/{sequence.pk}/enrolments").json()["items"][0]["contact"]
    SequenceRow.objects.update(sharing="all")
    assert charlie.get(f"/sequences/{sequence.pk}/").status_code == 200


def test_steps_are_added_moved_edited_and_deleted_by_forms(story, sequence):
    client, base = browser(story.cast.alice), f"/sequences/{sequence.pk}/steps/"
    added = client.post(base + "new/email/", {"subject": "Last", "html": "<p>Bye</p>", "apply_to": "all"})
    assert added.status_code == 302
    keys = list(Step.objects.filter(version=2).values_list("key", flat=True))
    client.post(base, {"move": f"{keys[3]}:up", "apply_to": "all"})
    client.post(base, {"delete": str(keys[1]), "apply_to": "new"})
    client.post(f"{base}{keys[0]}/", {"subject": "Hello again", "html": "<p>x</p>", "apply_to": "new"})
    sequence.refresh_from_db()
    steps = Step.objects.filter(sequence=sequence, version=sequence.version)
    assert [step.subject or step.title for step in steps] == ["Hello again", "Last", "Call"]
    assert Enrolment.objects.get().version == 3


def test_a_refused_step_says_why_and_keeps_what_was_written(story, sequence):
    answer = browser(story.cast.alice).post(
        f"/sequences/{sequence.pk}/steps/new/email/", {"subject": "{{nonsense}}", "html": "<p>Kept</p>"}
    )
    page = answer.content.decode()
    assert answer.status_code == 422 and "There is no field nonsense" in page and "Kept" in page


def test_enrolling_shows_problems_first_and_then_dates(story, sequence):
    jan, nowhere = story.contact("Jan"), story.contact("Nowhere", kind="company")
    nowhere.addresses.all().delete()
    client = browser(story.cast.alice)
    query = f"contact={jan.pk}&contact={nowhere.pk}&contact={story.enrolment.contact_id}"
    page = client.get(f"/sequences/{sequence.pk}/enrol/?{query}").content.decode()
    assert (
        "2 of 3 contacts cannot start" in page and "No email address." in page and "Already in this sequence." in page
    )
    assert page.index("cannot start") < page.index("Dates, unless")
    client.post(f"/sequences/{sequence.pk}/enrol/", {"contact": [jan.pk, nowhere.pk]})
    assert list(Enrolment.objects.order_by("pk").values_list("contact_id", flat=True))[1:] == [jan.pk]


def test_the_page_leads_to_a_preview_for_somebody(story, sequence):
    path = f"/sequences/{sequence.pk}/preview/"
    assert f'href="{path}"' in browser(story.cast.alice).get(f"/sequences/{sequence.pk}/").content.decode()
    shown = browser(story.cast.alice).get(path, follow=True)
    assert "Preview for" in shown.content.decode() and shown.redirect_chain[0][0].startswith(path)
    assert browser(story.cast.charlie).get(path).status_code == 404


def test_of_a_company_its_people_or_its_own_address_is_chosen(story, sequence):
    company = story.contact("Kunde", "office@kunde.example", kind="company")
    story.contact("Ola", company_id=company.pk)
    page = browser(story.cast.alice).get(f"/sequences/choose/?contact={company.pk}").content.decode()
    assert "Ola" in page and "office@kunde.example" in page and "Fair" in page


def test_in_basic_the_pages_say_why_sequences_are_off(story, sequence, api):
    client = browser(story.cast.alice)
    assert "Add to a sequence" in client.get("/contacts/").content.decode()
    Workspace.objects.update(package=Package.BASIC)
    contacts = client.get("/contacts/").content.decode()
    assert "Add to a sequence" not in contacts and 'name="contact"' not in contacts
    assert "Automation package" in client.get("/sequences/").content.decode()
    assert client.get("/sequences/new/").status_code == 403
    refused = api(story.cast.alice).post("/sequences", {"name": "New"})
    assert refused.status_code == 409 and refused.json()["code"] == "sequences_off"


def test_scanners_unsubscribe_nobody_and_one_post_does(story, sequence):
    story.run()
    path = suppressions.link_for(story.enrolment.pk).partition("8000")[2]
    scanner = Client(enforce_csrf_checks=True)
    for _ in range(3):
        assert scanner.get(path).status_code == 200
    assert story.state(story.enrolment)[0] == "active" and not Suppression.objects.exists()
    for _ in range(2):
        assert scanner.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert story.state(story.enrolment) == ("unsubscribed", "unsubscribed") and Suppression.objects.count() == 1


def test_a_forged_link_shows_nothing(story, sequence):
    path = suppressions.link_for(story.enrolment.pk).partition("8000")[2]
    forged = path.replace(str(story.enrolment.pk), str(story.enrolment.pk + 1), 1)
    assert Client().get(forged).status_code == 404 and Client().post(forged).status_code == 404


def test_a_suppressed_address_is_written_to_by_no_sequence_until_an_admin_lifts_it(story, sequence):
    other = story.enrol(story.sequence(name="Other"), story.enrolment.contact)
    suppressions.unsubscribe(story.enrolment)
    assert story.state(other)[0] == "unsubscribed"
    third = story.sequence(name="Third")
    [refused] = enrolling.enrol(story.cast.alice, third.pk, [story.enrolment.contact_id])
    assert refused.problem.code == "suppressed"
    row = Suppression.objects.get()
    assert browser(story.cast.alice).get("/settings/sequences/").status_code == 403
    admin = browser(story.cast.erin)
    assert row.address in admin.get("/settings/sequences/").content.decode()
    assert admin.post(f"/settings/sequences/{row.pk}/lift/", {"note": ""}).status_code == 422
    admin.post(f"/settings/sequences/{row.pk}/lift/", {"note": "asked on the phone"})
    assert "asked on the phone" in admin.get("/settings/sequences/").content.decode()
    assert story.enrol(third, story.enrolment.contact)


def test_holidays_are_kept_by_admins(story):
    admin = browser(story.cast.erin)
    admin.post("/settings/holidays/", {"day": "2026-12-24", "name": "Christmas Eve"})
    assert admin.post("/settings/holidays/", {"day": "2026-12-24"}).status_code == 422
    admin.post(f"/settings/holidays/{Holiday.objects.get().pk}/remove/")
    assert not Holiday.objects.exists()


def test_a_task_is_done_by_its_owner_alone_and_can_be_undone(story):
    story.enrol(story.sequence(TASK), story.contact("Ewa"))
    story.run()
    task = Task.objects.get()
    assert "Call" in browser(story.cast.alice).get("/tasks/").content.decode()
    assert "Call" not in browser(story.cast.bob).get("/tasks/").content.decode()
    assert browser(story.cast.bob).post(f"/sequences/tasks/{task.pk}/").status_code == 404
    browser(story.cast.alice).post(f"/sequences/tasks/{task.pk}/")
    task.refresh_from_db()
    assert task.done_at
    browser(story.cast.alice).post(f"/sequences/tasks/{task.pk}/", {"undo": "1"})
    task.refresh_from_db()
    assert task.done_at is None


def test_a_reply_in_a_mailbox_of_somebody_else_is_not_linked(story, sequence):
    from tests.cast import make_account

    story.run()
    mail = story.arrive("ewa@kunde.example", to=make_account(story.cast.charlie, visibility="owner"))
    page = browser(story.cast.alice).get(f"/sequences/{sequence.pk}/").content.decode()
    assert "Replied" in page and str(mail.pk) not in page


def test_a_colleagues_mail_holds_and_an_invisible_one_is_not_hinted_at(story, sequence):
    from mailwall.assignment import services as assignment
    from tests.cast import make_account, make_raw, store

    for visibility, name in (("everyone", "Seen"), ("owner", "Unseen")):
        contact = story.contact(name)
        account = make_account(story.cast.charlie, visibility=visibility)
        raw = make_raw(account.address, f"{name.lower()}@kunde.example")
        assignment.assign_messages([store(account, raw, direction="sent", days_ago=2).pk])
        enrolment = story.enrol(sequence, contact)
        assert enrolment.state == ("held" if visibility == "everyone" else "active")
    held = Enrolment.objects.get(state="held")
    story.later(days=5, minutes=1)
    story.run()
    assert story.state(held)[0] == "active"


def test_the_api_as_the_contract_has_it(story, api):
    alice, ewa = api(story.cast.alice), story.contact("Ewa")
    body = {
        "name": "Trade fair", "email_account": story.account.pk, "state": "running",
        "steps": [{"type": "email", "subject": "Hello {{first_name|there}}", "html": "<p>x</p>", "same_thread": False},
                  {"type": "wait", "days": 3, "working_days": True}, {"type": "task", "title": "Call"}],
        "window": {"days": [1, 2, 3, 4, 5], "from": "08:00", "to": "16:00", "zone": "Europe/Warsaw"},
        "daily_cap": 50, "end_on_company_reply": False,
    }  # fmt: skip
    made = alice.post("/sequences", body)
    assert made.status_code == 201, made.content
    found = made.json()
    assert {key: found[key] for key in ("name", "email_account", "state", "window", "daily_cap")} == {
        key: body[key] for key in ("name", "email_account", "state", "window", "daily_cap")
    }
    path = f"/sequences/{found['id']}"
    answer = alice.post(f"{path}/enrolments", {"contacts": [ewa.pk, ewa.pk, 999_999]}).json()["items"]
    assert answer[0]["state"] == "active" and answer[0]["step"] == 1 and answer[0]["contact"] == ewa.pk
    assert answer[1] == {"contact": 999_999, "problem": {"code": "not_found", "message": "There is no such contact."}}
    changed = alice.call("PATCH", f"/enrolments/{answer[0]['id']}", {"state": "paused"})
    assert changed.json()["state"] == "paused"
    assert alice.call("PATCH", f"/enrolments/{answer[0]['id']}", {"state": "replied"}).status_code == 409
    assert api(story.cast.bob).get(path).status_code == 404
    assert api(story.cast.bob).call("PATCH", f"/enrolments/{answer[0]['id']}", {"state": "active"}).status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email_account": 999_999}, "email_account"),
        ({"name": ""}, "name"),
        ({"daily_cap": 0}, "daily_cap"),
        ({"window": {"days": [], "from": "08:00", "to": "16:00"}}, "window.days"),
        ({"window": {"days": [1], "from": "16:00", "to": "08:00"}}, "window.to"),
        ({"window": {"days": [1], "from": "08:00", "to": "16:00", "zone": "Mars/Phobos"}}, "window.zone"),
        ({"steps": []}, "steps"),
    ],
)
def test_a_wrong_body_names_its_field(story, api, change, field):
    steps = [{"type": "email", "subject": "x", "html": "<p>x</p>"}]
    body = {"name": "Fair", "email_account": story.account.pk, "state": "running", "steps": steps, **change}
    answer = api(story.cast.alice).post("/sequences", body)
    assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == field
    assert not SequenceRow.objects.exists()


def test_somebody_elses_account_cannot_be_used(story, api):
    answer = api(story.cast.bob).post("/sequences", {"name": "Fair", "email_account": story.account.pk})
    assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == "email_account"
