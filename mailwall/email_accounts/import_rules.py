"""Which mail is never imported. Pure.

A blocked address or domain blocks a mail only when nobody else from outside takes part in it: a mail to a customer with
a copy to the blocked bank is kept. Outside is who is no colleague.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from mailwall.email_accounts.free_mail import domain_of, is_free_mail
from mailwall.mime.types import ParsedMessage

MANY_RECIPIENTS = 20


class ImportRuleKind(StrEnum):
    """Kinds of rules. The ledger names what they skip by these words."""

    ADDRESS = "never_import_address"
    DOMAIN = "never_import_domain"
    COLLEAGUES = "only_colleagues"
    LISTS = "mailing_list"
    BULK = "bulk_mail"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRules:
    """What holds for one account: kinds that are switched on, blocked addresses and domains, and who is a colleague.

    All addresses are normal ones. colleagues: of users and connected accounts; their domains: without free-mail ones.
    """

    kinds: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    colleagues: frozenset[str] = frozenset()
    colleague_domains: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        return not self.kinds

    def is_colleague(self, address: str) -> bool:
        return address in self.colleagues or domain_of(address) in self.colleague_domains


def domains_of_colleagues(addresses: Iterable[str]) -> frozenset[str]:
    """The domains whose people all count as colleagues: those of our own addresses, but no free-mail domain."""
    domains = {domain_of(address) for address in addresses} - {""}
    return frozenset(domain for domain in domains if not is_free_mail(domain))


def skipping_rule(parsed: ParsedMessage, rules: ImportRules) -> str:
    """The kind of the rule by which a mail is not imported, '' when it is. Header fields alone decide."""
    if rules.is_empty:
        return ""
    parties = {person.address for person in (*parsed.from_, *parsed.to, *parsed.cc)} - {""}
    outside = {address for address in parties if not rules.is_colleague(address)}
    blocked = {address for address in parties if address in rules.addresses}
    if blocked and outside <= blocked:
        return ImportRuleKind.ADDRESS
    blocked |= {address for address in outside if domain_of(address) in rules.domains}
    if blocked and outside <= blocked:
        return ImportRuleKind.DOMAIN
    if ImportRuleKind.COLLEAGUES in rules.kinds and parties and not outside:
        return ImportRuleKind.COLLEAGUES
    return _by_kind_of_mail(parsed, rules)


def _by_kind_of_mail(parsed: ParsedMessage, rules: ImportRules) -> str:
    if ImportRuleKind.LISTS in rules.kinds and (parsed.list_id or parsed.automatic == "list"):
        return ImportRuleKind.LISTS
    is_bulk = parsed.automatic == "bulk" or len(parsed.to) + len(parsed.cc) > MANY_RECIPIENTS
    return ImportRuleKind.BULK if ImportRuleKind.BULK in rules.kinds and is_bulk else ""
