"""Settings › Sequences, for administrators: addresses that want no mail, holidays, opens."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from mailwall.sequences import opens, suppressions
from mailwall.sequences.forms import HolidayForm, LiftForm, OpensForm, SuppressionForm
from mailwall.sequences.models import Holiday, Suppression
from mailwall.sequences.views import SignedIn, sequence_page
from mailwall.team import queries as team_queries
from mailwall.team import services as team_services

SHOWN = 200


@sequence_page
@require_http_methods(["GET", "HEAD", "POST"])
def suppressed(request: SignedIn) -> HttpResponse:
    """The list; POST adds an address by hand."""
    _require_admin(request)
    form = SuppressionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        suppressions.suppress_by_hand(request.user, form.cleaned_data["address"], form.cleaned_data["note"])
        messages.success(request, _("No sequence writes to this address any more."))
        return redirect("sequences:suppressed")
    q = request.GET.get("q", "").strip()
    return _page(request, {"form": form, "q": q, "rows": suppressions.listed(q)[:SHOWN]}, status=_status(form))


@sequence_page
@require_http_methods(["GET", "HEAD", "POST"])
def lift(request: SignedIn, suppression_id: int) -> HttpResponse:
    """Ask for the reason, then allow mail to the address again."""
    _require_admin(request)
    row = Suppression.objects.filter(pk=suppression_id, lifted_at__isnull=True).first()
    if row is None:
        raise Http404
    form = LiftForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        suppressions.lift(request.user, suppression_id, form.cleaned_data["note"])
        messages.success(request, _("Sequences may write to %(address)s again.") % {"address": row.address})
        return redirect("sequences:suppressed")
    return render(request, "sequences/lift.html", {"form": form, "row": row}, status=_status(form))


@sequence_page
@require_http_methods(["GET", "HEAD", "POST"])
def holidays(request: SignedIn) -> HttpResponse:
    """The list; POST adds a day."""
    _require_admin(request)
    form = HolidayForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                Holiday.objects.create(**form.cleaned_data)
        except IntegrityError:
            form.add_error("day", _("This day is on the list already."))
        else:
            messages.success(request, _("The holiday was added."))
            return redirect("sequences:holidays")
    return render(
        request, "sequences/holidays.html", {"form": form, "rows": Holiday.objects.all()}, status=_status(form)
    )


@sequence_page
@require_POST
def remove_holiday(request: SignedIn, holiday_id: int) -> HttpResponse:
    _require_admin(request)
    Holiday.objects.filter(pk=holiday_id).delete()
    messages.success(request, _("The holiday was removed."))
    return redirect("sequences:holidays")


@sequence_page
@require_http_methods(["GET", "HEAD", "POST"])
def opens_allowed(request: SignedIn) -> HttpResponse:
    """Whether sequences may measure opens at all."""
    _require_admin(request)
    form = OpensForm(request.POST or None, initial={"is_allowed": opens.may_be_measured()})
    if request.method == "POST":
        is_allowed = request.POST.get("is_allowed") is not None
        team_services.update_workspace(request.user, may_measure_opens=is_allowed)
        words = (
            _("Sequences may measure opens now, where their owners switch it on."),
            _("Opens are not measured any more."),
        )
        messages.success(request, words[0] if is_allowed else words[1])
        return redirect("sequences:opens")
    return render(request, "sequences/opens.html", {"form": form, "has_address": opens.have_an_address()})


def _status(form: Any) -> int:
    return 422 if form.errors else 200


def _page(request: SignedIn, context: dict[str, Any], *, status: int) -> HttpResponse:
    return render(request, "sequences/suppressed.html", context, status=status)


def _require_admin(request: SignedIn) -> None:
    if not request.user.is_admin:
        names = ", ".join(team_queries.admins().values_list("name", flat=True)[:5])
        raise PermissionDenied(_("Only administrators see this list. Ask: %(names)s.") % {"names": names})
