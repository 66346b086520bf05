"""Browser door: Settings › Email accounts › Templates."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from mailwall.contacts import queries as contact_queries
from mailwall.contacts.models import Contact
from mailwall.contacts.queries import ContactFilter
from mailwall.email_accounts import errors as account_errors
from mailwall.sending import mail_templates, placeholders
from mailwall.sending.errors import TemplateInvalid, TextTooLong
from mailwall.sending.forms import TemplateForm
from mailwall.sending.models import MailTemplate
from mailwall.sending.requests import SignedIn, number
from mailwall.web.editing import editing_page


@login_required
@require_safe
def list_templates(request: SignedIn) -> HttpResponse:
    """Those that the viewer may use, each with what may be done with it."""
    rows = [
        {"template": template, "may_edit": mail_templates.may_edit(request.user, template)}
        for template in mail_templates.templates_for(request.user).defer("html")
    ]
    return render(request, "sending/templates.html", {"rows": rows})


@login_required
@editing_page
@require_http_methods(["GET", "HEAD", "POST"])
def new_template(request: SignedIn) -> HttpResponse:
    """An empty one, or with `?copy=` a copy of another."""
    original = mail_templates.templates_for(request.user).filter(pk=number(request.GET.get("copy")) or 0).first()
    initial: dict[str, Any] = {}
    if original is not None:
        name = _("Copy of %(name)s") % {"name": original.name}
        initial = {"name": name[: mail_templates.MAX_NAME_LENGTH], "subject": original.subject, "html": original.html}
    form = TemplateForm(request.user, request.POST or None, initial=initial)
    return _form_page(request, form, None)


@login_required
@editing_page
@require_http_methods(["GET", "HEAD", "POST"])
def edit_template(request: SignedIn, template_id: int) -> HttpResponse:
    template = _editable(request, template_id)
    initial = {field: getattr(template, field) for field in ("name", "subject", "html", "sharing")}
    form = TemplateForm(template.owner, request.POST or None, initial=initial)
    return _form_page(request, form, template)


@login_required
@require_POST
def delete_template(request: SignedIn, template_id: int) -> HttpResponse:
    """At once; the toast offers to undo."""
    template = _editable(request, template_id)
    mail_templates.delete_template(template)
    undo_url = reverse("sending:restore_template", args=[template_id])
    messages.success(request, _("%(name)s was deleted.") % {"name": template.name}, extra_tags=undo_url)
    return redirect("sending:templates")


@login_required
@require_POST
def restore_template(request: SignedIn, template_id: int) -> HttpResponse:
    """Undo a deletion."""
    template = mail_templates.restore_template(request.user, template_id)
    if template is None:
        raise Http404
    messages.success(request, _("%(name)s is back.") % {"name": template.name})
    address = reverse("sending:templates")
    return HttpResponseClientRedirect(address) if request.htmx else redirect(address)


@login_required
@editing_page
@require_POST
def preview_template(request: SignedIn) -> HttpResponse:
    """What the template in the form says to the contact that `contact` finds by name or address."""
    read = {name: request.POST.get(name, "") for name in ("subject", "html", "contact")}
    return render(request, "sending/_template_preview.html", _preview(request, **read))


def _form_page(request: SignedIn, form: TemplateForm, template: MailTemplate | None) -> HttpResponse:
    """The form; a valid one is saved and leads back to the list."""
    if request.method == "POST" and form.is_valid() and _saved(request, form, template):
        messages.success(request, _("%(name)s is saved.") % {"name": form.cleaned_data["name"]})
        return redirect("sending:templates")
    values = {name: str(form[name].value() or "") for name in ("subject", "html")}
    context = {
        "form": form,
        "template": template,
        "placeholders": ["{{" + name + "}}" for name in placeholders.FIELDS],
        "with_fallback": "{{first_name|" + _("there") + "}}",
        **_preview(request, contact="", **values),
    }
    return render(request, "sending/template_form.html", context, status=422 if form.errors else 200)


def _saved(request: SignedIn, form: TemplateForm, template: MailTemplate | None) -> bool:
    owner = template.owner if template else request.user
    try:
        mail_templates.save_template(owner, form.draft(), template)
    except TextTooLong as error:
        form.add_error("html", account_errors.sentence(error))
    except TemplateInvalid as error:
        for field, sentence in error.errors:
            form.add_error(field, sentence)
    return form.is_valid()


def _editable(request: SignedIn, template_id: int) -> MailTemplate:
    template = mail_templates.templates_for(request.user).filter(pk=template_id).first()
    if template is None or not mail_templates.may_edit(request.user, template):
        raise Http404
    return template


def _preview(request: SignedIn, *, subject: str, html: str, contact: str) -> dict[str, Any]:
    found = _contact(request, contact)
    unsaved = MailTemplate(subject=subject, html=html)
    rendered = mail_templates.render_template(unsaved, found, request.user)
    return {
        "contact": found,
        "asked": contact,
        "subject": rendered.subject,
        "html": rendered.html,
        "missing": rendered.missing_fields,
        "errors": [sentence for _field, sentence in mail_templates.field_errors(subject, html)],
    }


def _contact(request: SignedIn, words: str) -> Contact | None:
    """The first contact that the words find; without words the first of all."""
    found = contact_queries.list_contacts(request.user, ContactFilter(q=words[:200]), limit=1).contacts
    return found[0] if found else None
