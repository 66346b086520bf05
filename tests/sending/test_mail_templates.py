"""Mail templates: what they say for a contact, who may use and who may change them."""

from __future__ import annotations

import pytest

from mailwall.sending import mail_templates
from mailwall.sending.errors import TemplateInvalid
from mailwall.sending.mail_templates import TemplateDraft, render_template
from mailwall.sending.models import MailTemplate, Sharing
from tests.cast import make_account, make_contact

pytestmark = pytest.mark.django_db


def make_template(owner, html="<p>Hi</p>", subject="Hi", **fields):
    return MailTemplate.objects.create(
        owner=owner, name=fields.pop("name", "Hello"), subject=subject, html=html, **fields
    )


def make_ewa(**fields):
    company = make_contact("Kwiat & Co", kind="company")
    return make_contact(
        "Ewa Kwiat", "ewa@kwiat.example", first_name="Ewa", last_name="Kwiat", company=company, **fields
    )


def test_fields_of_the_contact_and_the_sender_are_filled(cast):
    account = make_account(cast.alice, "alice@box.example")
    html = "<p>{{name}}, {{company}}, {{email}}, {{title|no title}}: {{sender_name}} {{sender_email}}</p>"
    rendered = render_template(make_template(cast.alice, html, "For {{first_name}}"), make_ewa(), cast.alice, account)
    assert rendered.subject == "For Ewa"
    assert rendered.html == "<p>Ewa Kwiat, Kwiat &amp; Co, ewa@kwiat.example, no title: Alice alice@box.example</p>"
    assert rendered.missing_fields == ()


def test_a_company_is_its_own_company_and_has_no_first_name(cast):
    company = make_contact("Kwiat", "office@kwiat.example", kind="company")
    rendered = render_template(make_template(cast.alice, "{{company}} {{first_name}}", ""), company, cast.alice)
    assert (rendered.html, rendered.missing_fields) == ("Kwiat", ("first_name",))


def test_missing_fields_are_told_subject_first_and_nothing_is_printed_for_them(cast):
    template = make_template(cast.alice, "<p>{{phone}} {{title}} x</p>", "{{title}} {{phone|none}}")
    subject, html, missing = render_template(template, make_ewa(), cast.alice)
    assert missing == ("title", "phone")
    assert "{{" not in subject + html


def test_without_a_contact_only_the_sender_is_known(cast):
    rendered = render_template(
        make_template(cast.alice, "{{first_name|there}} {{sender_first_name}}"), None, cast.alice
    )
    assert rendered.html == "there Alice"


def test_a_contacts_name_cannot_write_html(cast):
    contact = make_contact("<img src=x onerror=x()>", first_name="<script>x()</script>")
    rendered = render_template(make_template(cast.alice, "<p>{{first_name}} {{name}}</p>"), contact, cast.alice)
    assert "<script" not in rendered.html
    assert "<img" not in rendered.html


def test_a_fallback_cannot_smuggle_a_link(cast):
    html = '<a href="{{title|javascript:x()}}">a</a>'
    assert render_template(make_template(cast.alice, html), make_ewa(), cast.alice).html == "<a>a</a>"


@pytest.mark.parametrize(
    ("sharing", "who"),
    [
        (Sharing.OWN, ["alice"]),
        (Sharing.TEAM, ["alice", "bob"]),
        (Sharing.EVERYONE, ["alice", "bob", "charlie", "erin"]),
    ],
)
def test_a_template_is_seen_by_those_it_is_shared_with(cast, sharing, who):
    make_template(cast.alice, sharing=sharing)
    seeing = [user.email.split("@")[0] for user in cast.everyone() if mail_templates.templates_for(user).exists()]
    assert seeing == who


def test_people_without_a_team_do_not_share_with_each_other(cast):
    make_template(cast.charlie, sharing=Sharing.TEAM)
    assert not mail_templates.templates_for(cast.erin).exists()


def test_a_template_is_changed_by_its_owner_and_a_public_one_by_admins_too(cast):
    template = make_template(cast.alice, sharing=Sharing.TEAM)
    assert [mail_templates.may_edit(user, template) for user in cast.everyone()] == [True, False, False, False]
    template.sharing = Sharing.EVERYONE
    assert [mail_templates.may_edit(user, template) for user in cast.everyone()] == [True, False, False, True]


def test_a_saved_template_is_clean_and_on_one_line(cast):
    draft = TemplateDraft(name="  A\n b ", subject="S\r\nBcc: x", html="<p onclick=x()>{{first_name|there}}</p>")
    saved = mail_templates.save_template(cast.alice, draft)
    assert (saved.name, saved.subject, saved.html) == ("A b", "S Bcc: x", "<p>{{first_name|there}}</p>")


def test_what_could_never_be_filled_is_refused_at_its_field(cast):
    draft = TemplateDraft(name=" ", subject="{{settings}}", html="<p>{{first_name</p>", sharing=Sharing.TEAM)
    with pytest.raises(TemplateInvalid) as refused:
        mail_templates.save_template(cast.charlie, draft)
    assert [field for field, _sentence in refused.value.errors] == ["subject", "html", "name", "sharing"]
    assert not MailTemplate.objects.exists()


def test_a_deleted_template_can_be_restored_by_who_may_edit_it(cast):
    template = make_template(cast.alice, sharing=Sharing.EVERYONE)
    mail_templates.delete_template(template)
    assert not mail_templates.templates_for(cast.alice).exists()
    assert mail_templates.restore_template(cast.charlie, template.pk) is None
    assert mail_templates.restore_template(cast.alice, template.pk) == template
    assert mail_templates.templates_for(cast.charlie).exists()
