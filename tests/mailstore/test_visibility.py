"""visible_to and its pure twin say the same for every policy, role, team and narrowed thread."""

from __future__ import annotations

import itertools

import pytest

from mailwall.email_accounts.models import Visibility
from mailwall.mailstore import rules, services
from mailwall.mailstore.models import Message
from mailwall.team.models import Team, User
from tests.cast import make_account, make_user
from tests.mailstore.makers import incoming, put

pytestmark = pytest.mark.django_db


def says_twin(viewer: User, message: Message) -> bool:
    account = message.account
    return rules.may_see(
        viewer_id=viewer.pk,
        managed_team_ids=set(viewer.managed_teams.values_list("pk", flat=True)),
        owner_id=account.owner_id,
        owner_team_id=account.owner.team_id,
        visibility=account.visibility,
        only_owner=message.only_owner,
    )


def assert_twins_agree() -> set[tuple[str, int]]:
    seen = set()
    messages = list(Message.objects.select_related("account__owner"))
    for viewer in User.objects.all():
        rows = list(Message.objects.visible_to(viewer).values_list("pk", flat=True))
        assert len(rows) == len(set(rows)), "a message counts once, however many rules let the viewer in"
        assert set(rows) == {message.pk for message in messages if says_twin(viewer, message)}, viewer
        assert Message.objects.visible_to(viewer).count() == len(rows)
        seen |= {(viewer.email, pk) for pk in rows}
    return seen


@pytest.fixture
def world(cast):
    """Every owner × visibility × narrowed or not; a team with two managers, one without, users without a team."""
    second = make_user("second@ours.example", "manager")
    cast.team.managers.add(second)
    other_team, unmanaged = Team.objects.create(name="Service"), Team.objects.create(name="Nobody's")
    make_user("greta@ours.example", "manager").managed_teams.add(other_team)
    make_user("hans@ours.example", team=other_team)
    make_user("ida@ours.example", team=unmanaged)
    make_user("jo@ours.example", "manager", team=cast.team)  # a manager of nothing, managed by Bob
    cast.bob.managed_teams.add(other_team)
    cast.bob.team = cast.team  # manages the team he belongs to
    cast.bob.save()
    for owner, visibility in itertools.product(User.objects.all(), Visibility.values):
        account = make_account(owner, visibility=visibility)
        _wide, narrow = put(account, incoming(message_id="w@x"), incoming(message_id="n@x"))
        services.narrow_thread(owner, narrow.thread_key)
    return cast


def test_the_matrix_of_policies_and_people(world):
    seen = assert_twins_agree()
    owners = {message.pk: message for message in Message.objects.select_related("account__owner")}
    for email, pk in seen:
        message = owners[pk]
        if message.only_owner or message.account.visibility == "owner":
            assert email == message.account.owner.email


def test_a_change_of_team_role_or_policy_holds_at_once(world):
    before = assert_twins_agree()
    world.team.managers.remove(world.bob)
    without_bob = assert_twins_agree()
    assert without_bob < before
    world.alice.team = None
    world.alice.save()
    assert assert_twins_agree() < without_bob
    world.erin.managed_teams.add(world.team)
    assert_twins_agree()
    services.widen_thread(world.alice, Message.objects.get(account__owner=world.alice, message_id="n@x",
                                                           account__visibility="everyone").thread_key)  # fmt: skip
    assert_twins_agree()
    Message.objects.filter(account__visibility="everyone").first().account.__class__.objects.update(visibility="owner")
    assert all(email == Message.objects.get(pk=pk).account.owner.email for email, pk in assert_twins_agree())


def test_an_admin_sees_nothing_by_being_one(world):
    visible = Message.objects.visible_to(world.erin).exclude(account__owner=world.erin)
    assert set(visible.values_list("account__visibility", flat=True)) == {"everyone"}
