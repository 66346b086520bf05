"""Tables of people, companies and their addresses."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import StrIndex, Substr
from django.utils.translation import gettext_lazy as _

from mailwall.contacts import rules, zones


class Kind(models.TextChoices):
    PERSON = "person", _("Person")
    COMPANY = "company", _("Company")


class Contact(models.Model):
    """A person or a company. `name` is what screens show; of a person it is made of first and last name."""

    kind = models.CharField(max_length=8, choices=Kind.choices)
    name = models.CharField(max_length=601)
    first_name = models.CharField(max_length=300, blank=True)
    last_name = models.CharField(max_length=300, blank=True)
    title = models.CharField(max_length=200, blank=True)
    phone = models.CharField(max_length=60, blank=True)
    zone = models.CharField(max_length=64, blank=True)  # IANA name; empty: not known
    company = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="people")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    sort_key = models.CharField(max_length=300, editable=False, default="")  # folded name, for the list's order
    search_key = models.TextField(editable=False, default="")  # folded name and addresses, for the list's search
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["sort_key", "id"], name="contact_by_sort_key"),
            models.Index(fields=["company"], name="contact_by_company"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(kind=Kind.PERSON) | Q(company__isnull=True), name="only_people_have_a_company"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def known_zone(self) -> str:
        """Its own time zone, else its company's, else ''; '' as well where this machine does not know it."""
        return zones.find_zone(self.zone or (self.company.zone if self.company else "")) or ""


class ContactAddress(models.Model):
    """An address of a contact, normalised. It may belong to one person *and* one company, never to two of a kind."""

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="addresses")
    kind = models.CharField(max_length=8, choices=Kind.choices)  # of the contact, for the constraint
    address = models.CharField(max_length=320, db_index=True)
    domain = models.GeneratedField(
        expression=Substr("address", StrIndex("address", Value("@")) + 1),
        output_field=models.CharField(max_length=320),
        db_persist=True,
        db_index=True,
    )
    position = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["position", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "address"], name="address_once_per_kind"),
        ]

    def __str__(self) -> str:
        return self.address

    @property
    def readable(self) -> str:
        """As people write it, the domain not in punycode; for screens only."""
        return rules.readable_address(self.address)
