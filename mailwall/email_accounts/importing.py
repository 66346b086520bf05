"""Rules before storing, as the database has them: of the whole workspace, of a user's accounts, of one account."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from mailwall.email_accounts import import_rules, queries
from mailwall.email_accounts.errors import ImportRuleRefused
from mailwall.email_accounts.import_rules import ImportRuleKind, ImportRules
from mailwall.email_accounts.models import EmailAccount, ImportRule
from mailwall.mime.addresses import AddressInvalid, normalize_email
from mailwall.team.models import User

OF_VALUE = (ImportRuleKind.ADDRESS, ImportRuleKind.DOMAIN)


def rules_of(account: EmailAccount) -> ImportRules:
    """What holds for mail of this account: three queries, one where there is no rule."""
    scope = Q(account=account) | Q(owner=account.owner_id) | Q(account=None, owner=None)
    found = list(ImportRule.objects.filter(scope).values_list("kind", "value"))
    if not found:
        return ImportRules()
    own = queries.own_addresses()
    return ImportRules(
        kinds=frozenset(kind for kind, _ in found),
        addresses=frozenset(value for kind, value in found if kind == ImportRuleKind.ADDRESS),
        domains=frozenset(value for kind, value in found if kind == ImportRuleKind.DOMAIN),
        colleagues=frozenset(own),
        colleague_domains=import_rules.domains_of_colleagues(own),
    )


def rules_for(viewer: User) -> QuerySet[ImportRule]:
    """The rules that hold for the viewer's mail: the workspace's first, then those of all accounts, then of one."""
    mine = Q(account__owner=viewer, account__removed_at=None) | Q(owner=viewer) | Q(account=None, owner=None)
    return ImportRule.objects.filter(mine).select_related("account").order_by("owner", "account", "kind", "value")


def add_rule(viewer: User, kind: str, text: str = "", *, account: EmailAccount | None, for_all: bool) -> ImportRule:
    """Have mail of this kind not imported any more; what is stored stays. The same rule again is the same row.

    text: an address, or a domain with or without '@'. account: one of the viewer's own, None: all of them. for_all: for
    the whole workspace, by admins.

    :raises ImportRuleRefused: no address, no domain, not the viewer's to say.
    """
    if (for_all and not viewer.is_admin) or (account is not None and account.owner_id != viewer.pk):
        raise ImportRuleRefused(ImportRuleRefused.MSGID_NOT_YOURS)
    value = ""
    if kind in OF_VALUE:
        kind, value = settle_value(text)
    owner = None if for_all or account is not None else viewer
    rule, _made = ImportRule.objects.get_or_create(kind=kind, value=value, owner=owner, account=account)
    return rule


def remove_rule(viewer: User, rule_id: int) -> ImportRule:
    """Take back a rule; mail from now on is imported again.

    :raises ImportRuleRefused: it is not there, or not the viewer's to change.
    """
    rule = rules_for(viewer).filter(pk=rule_id).first()
    if rule is None:
        raise ImportRuleRefused(ImportRuleRefused.MSGID_GONE)
    if rule.is_for_all and not viewer.is_admin:
        raise ImportRuleRefused(ImportRuleRefused.MSGID_NOT_YOURS)
    ImportRule.objects.filter(pk=rule_id).delete()
    return rule


def accounts_under(rule: ImportRule) -> QuerySet[EmailAccount]:
    """The connected accounts that the rule holds for."""
    accounts = EmailAccount.objects.connected()
    if rule.is_for_all:
        return accounts
    return accounts.filter(Q(owner=rule.owner_id) | Q(pk=rule.account_id))


def settle_value(text: str) -> tuple[str, str]:
    """(kind, value) of what somebody typed: `jan@bank.example`, `@bank.example` or `bank.example`.

    :raises ImportRuleRefused: neither an address nor a domain.
    """
    text = text.strip()
    domain = text.removeprefix("@")
    is_address = "@" in domain
    try:
        address = normalize_email(text if is_address else f"x@{domain}")
    except AddressInvalid as error:
        raise ImportRuleRefused(ImportRuleRefused.MSGID_NO_ADDRESS, {"value": text[:100]}) from error
    if is_address:
        return ImportRuleKind.ADDRESS, address
    return ImportRuleKind.DOMAIN, address.rpartition("@")[2]
