"""Pages of templates: list, form, preview for a contact, deleting with undo; and who may do what."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from mailwall.sending.models import MailTemplate, Sharing
from tests.cast import make_contact
from tests.sending.test_mail_templates import make_template

pytestmark = pytest.mark.django_db
LIST = "/settings/email-accounts/templates/"
FORM = {
    "name": "Offer",
    "subject": "For {{first_name|you}}",
    "html": "<p>Hi {{first_name|there}}</p>",
    "sharing": "own",
}


def browser(user, **headers) -> Client:
    client = Client(headers=headers)
    client.force_login(user)
    return client


def text(answer) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.content.decode()))


def test_a_template_is_written_listed_and_changed(cast):
    client = browser(cast.alice)
    assert "No template yet." in text(client.get(LIST))
    page = client.post(f"{LIST}new/", FORM, follow=True)
    assert "Offer is saved." in text(page)
    template = MailTemplate.objects.get()
    assert (template.owner, template.html) == (cast.alice, FORM["html"])
    client.post(f"{LIST}{template.pk}/", {**FORM, "name": "Better offer"})
    assert "Better offer" in text(client.get(LIST))
    assert MailTemplate.objects.count() == 1


def test_a_field_that_does_not_exist_is_said_and_what_was_typed_stays(cast):
    answer = browser(cast.alice).post(f"{LIST}new/", {**FORM, "subject": "{{settings}}"})
    assert answer.status_code == 422
    assert "There is no field settings." in text(answer)
    assert 'value="{{settings}}"' in answer.content.decode()
    assert not MailTemplate.objects.exists()


def test_the_preview_says_what_one_contact_would_read_and_what_is_missing(cast):
    make_contact("Ewa Kwiat", "ewa@kwiat.example", first_name="Ewa", search_key="ewa kwiat ewa@kwiat.example")
    html = "<p>Hi {{first_name}} {{title}}</p><script>x()</script>"
    answer = browser(cast.alice).post(
        f"{LIST}preview/", {"subject": "To {{first_name}}", "html": html, "contact": "ewa"}
    )
    page = text(answer)
    assert "As Ewa Kwiat gets it from you." in page
    assert "Subject: To Ewa" in page
    assert "Ewa Kwiat has no title." in page
    assert "Hi Ewa" in answer.content.decode()
    assert "x()" not in answer.content.decode()
    assert "No contact is found" in text(browser(cast.alice).post(f"{LIST}preview/", {"contact": "nobody"}))


def test_a_deleted_template_comes_back_by_undo(cast):
    template, client = make_template(cast.alice), browser(cast.alice)
    page = client.post(f"{LIST}{template.pk}/delete/", follow=True)
    assert f'action="{LIST}{template.pk}/restore/"' in page.content.decode()
    assert not MailTemplate.objects.visible_to(cast.alice).exists()
    answer = browser(cast.alice, hx_request="true").post(f"{LIST}{template.pk}/restore/")
    assert answer.headers["HX-Redirect"] == LIST
    assert MailTemplate.objects.visible_to(cast.alice).exists()


def test_who_may_use_a_template_copies_it_and_who_may_not_finds_nothing(cast):
    shared, own = (
        make_template(cast.alice, sharing=Sharing.EVERYONE, name="Shared"),
        make_template(cast.alice, name="Mine"),
    )
    client = browser(cast.charlie)
    page = text(client.get(LIST))
    assert ("Shared" in page, "Mine" in page) == (True, False)
    assert 'value="Copy of Shared"' in client.get(f"{LIST}new/?copy={shared.pk}").content.decode()
    assert "Mine" not in client.get(f"{LIST}new/?copy={own.pk}").content.decode()
    for template in (shared, own):
        assert client.get(f"{LIST}{template.pk}/").status_code == 404
        assert client.post(f"{LIST}{template.pk}/", FORM).status_code == 404
        assert client.post(f"{LIST}{template.pk}/delete/").status_code == 404
    assert Client().get(LIST).status_code == 302


def test_an_admin_mends_a_public_template_which_stays_its_owners(cast):
    template = make_template(cast.alice, sharing=Sharing.EVERYONE)
    browser(cast.erin).post(f"{LIST}{template.pk}/", {**FORM, "sharing": "everyone"})
    template.refresh_from_db()
    assert (template.name, template.owner) == ("Offer", cast.alice)


def test_people_without_a_team_are_not_offered_to_share_with_it(cast):
    assert 'value="team"' in browser(cast.alice).get(f"{LIST}new/").content.decode()
    assert 'value="team"' not in browser(cast.charlie).get(f"{LIST}new/").content.decode()
