"""Which accounts whom, and which addresses are our own."""

from __future__ import annotations

import pytest
from django.http import Http404
from django.utils import timezone

from mailwall.email_accounts import queries, rules
from mailwall.email_accounts.models import EmailAccount, Visibility
from mailwall.team import queries as team_queries
from tests.cast import make_account, make_user

pytestmark = pytest.mark.django_db


def test_one_sees_ones_own_accounts_managers_their_teams_admins_all(cast):
    hers = make_account(cast.alice)
    his = make_account(cast.charlie)
    seen = [[account.pk for account in queries.accounts_for(viewer).order_by("pk")] for viewer in cast.everyone()]
    assert seen == [[hers.pk], [hers.pk], [his.pk], [hers.pk, his.pk]]
    with pytest.raises(Http404):
        queries.get_account(cast.charlie, hers.pk)


def test_a_team_with_two_managers_gives_its_accounts_once(cast):
    cast.team.managers.add(make_user("frank@ours.example", "manager"))
    account = make_account(cast.alice, visibility="everyone")
    for viewer in cast.everyone():
        assert EmailAccount.objects.messages_visible_to(viewer).filter(pk=account.pk).count() == 1
    assert queries.accounts_for(cast.bob).count() == 1


@pytest.mark.parametrize("visibility", Visibility.values)
def test_the_query_and_its_readable_twin_agree(cast, visibility):
    account = make_account(cast.alice, visibility=visibility)
    managers = set(team_queries.managers_of(cast.alice).values_list("pk", flat=True))
    for viewer in cast.everyone():
        in_query = account.pk in queries.message_accounts(viewer, [account.pk])
        assert in_query == rules.may_see_messages(viewer, account, managers)
        assert queries.is_manageable(viewer, account) == rules.may_manage(viewer, account, managers)
    names = {person.pk for person in queries.readers_by_visibility(cast.alice)[visibility]}
    assert names == {v.pk for v in cast.everyone() if rules.may_see_messages(v, account, managers)}


def test_a_manager_who_is_made_an_ordinary_user_sees_nothing_of_the_team_any_more(cast):
    account = make_account(cast.alice, visibility="owner_and_managers")
    assert queries.message_accounts(cast.bob, [account.pk])
    cast.bob.role = "user"
    cast.bob.save()
    assert not queries.message_accounts(cast.bob, [account.pk])
    assert not queries.accounts_for(cast.bob)


def test_removed_accounts_are_listed_no_more_but_their_messages_stay_visible(cast):
    account = make_account(cast.alice, removed_at=timezone.now())
    assert not queries.accounts_for(cast.alice)
    assert queries.message_accounts(cast.charlie, [account.pk]) == {account.pk}
    EmailAccount.objects.update(purging=True)
    assert not queries.message_accounts(cast.alice, [account.pk])


def test_own_addresses_are_those_of_users_and_connected_accounts_in_normal_form(cast):
    make_account(cast.alice, "box@xn--bcher-kva.example", aliases=["Office@BÜCHER.example"])
    make_account(cast.alice, "old@ours.example", removed_at=timezone.now())
    own = queries.own_addresses()
    assert {"alice@ours.example", "box@xn--bcher-kva.example", "office@xn--bcher-kva.example"} <= own
    assert "old@ours.example" not in own


def test_managers_add_for_their_team_and_admins_for_everybody(cast):
    owners = [{str(user) for user in queries.possible_owners(actor)} for actor in cast.everyone()]
    assert owners == [{"Alice"}, {"Alice", "Bob"}, {"Charlie"}, {"Alice", "Bob", "Charlie", "Erin"}]
