"""REST door of users, teams, the workspace and oneself."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import time
from typing import Annotated, Any, Literal, NoReturn, TypeVar

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import ConfigDict, Field

from mailwall.team import queries, rules, services
from mailwall.team.errors import TeamRefused
from mailwall.team.models import Team, User, Workspace
from mailwall.web.rest import PROBLEMS, ApiProblem, Page, clamp_limit, decode_cursor, encode_cursor

router = Router()
T = TypeVar("T")

Id = Annotated[int, Field(ge=1, lt=2**63)]
RoleName = Literal["user", "manager", "admin"]
TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["03:00"])]
Text = Annotated[str, Field(min_length=1, max_length=200)]
CONFLICTS = {"email_taken", "name_taken", "last_admin"}


class Strict(Schema):
    """What comes in: an unknown field is an error, so that a misspelt one is not lost in silence."""

    model_config = ConfigDict(extra="forbid")


class UserOut(Schema):
    """`may_connect` null: as the workspace says for the role."""

    id: int
    email: str
    name: str
    role: RoleName
    team: int | None
    may_connect: bool | None
    is_active: bool

    @staticmethod
    def resolve_team(user: User) -> int | None:
        return user.team_id


class UserIn(Strict):
    email: Annotated[str, Field(min_length=3, max_length=254)]
    name: Text
    role: RoleName = "user"
    team: Id | None = None
    may_connect: bool | None = None
    password: Annotated[str, Field(max_length=1000)] | None = None


class UserPatch(Strict):
    email: Annotated[str, Field(min_length=3, max_length=254)] = ""
    name: Text = ""
    role: RoleName = "user"
    team: Id | None = None
    may_connect: bool | None = None
    is_active: bool = True
    password: Annotated[str, Field(min_length=1, max_length=1000)] = ""


class TeamOut(Schema):
    id: int
    name: str
    managers: list[int]

    @staticmethod
    def resolve_managers(team: Team) -> list[int]:
        return sorted(manager.pk for manager in team.managers.all())


class TeamIn(Strict):
    name: Text
    managers: Annotated[list[Id], Field(default_factory=list)]


class TeamPatch(Strict):
    name: Text | None = None
    managers: list[Id] | None = None


class Me(Schema):
    """`may_connect`: whether one may connect an account after all."""

    id: int
    email: str
    name: str
    role: RoleName
    team: int | None
    may_connect: bool
    language: str
    time_zone: str


class WorkspaceOut(Schema):
    name: str
    package: Literal["basic", "automation"]
    max_accounts_per_user: int
    users_may_connect: bool
    managers_may_connect: bool
    admins_may_connect: bool
    review_time: TimeOfDay
    time_zone: str
    may_measure_opens: bool

    @staticmethod
    def resolve_review_time(row: Workspace) -> str:
        return f"{row.review_time:%H:%M}"


class WorkspacePatch(Strict):
    name: Text = ""
    package: Literal["basic", "automation"] = "automation"
    max_accounts_per_user: Annotated[int, Field(ge=1, le=1000)] = 3
    users_may_connect: bool = True
    managers_may_connect: bool = True
    admins_may_connect: bool = True
    review_time: TimeOfDay = "03:00"
    time_zone: Annotated[str, Field(max_length=64)] = "UTC"
    may_measure_opens: bool = False


class Paging(Schema):
    cursor: str | None = None
    limit: int = 50


@router.get("/me", response={200: Me, **PROBLEMS})
def me(request: HttpRequest) -> dict[str, Any]:
    user = _viewer(request)
    return {
        "id": user.pk, "email": user.email, "name": user.name, "role": user.role, "team": user.team_id,
        "may_connect": rules.may_connect(user, queries.workspace()), "language": user.language,
        "time_zone": user.time_zone,
    }  # fmt: skip


@router.get("/users", response={200: Page[UserOut], **PROBLEMS})
def list_users(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    _admin(request)
    return _page(queries.users().order_by("id"), paging)


@router.post("/users", response={201: UserOut, **PROBLEMS})
def create_user(request: HttpRequest, payload: UserIn) -> tuple[int, User]:
    fields = payload.dict()
    fields["team"] = _team(payload.team)
    fields["password"] = payload.password or ""
    try:
        return 201, services.create_user(_admin(request), **fields)
    except TeamRefused as error:
        _refuse(error)


@router.patch("/users/{user_id}", response={200: UserOut, **PROBLEMS})
def update_user(request: HttpRequest, user_id: Id, payload: UserPatch) -> User:
    admin = _admin(request)
    user = _existing(queries.users().filter(pk=user_id).first())
    changes = payload.dict(exclude_unset=True)
    if "team" in changes:
        changes["team"] = _team(changes["team"])
    try:
        return services.update_user(admin, user, **changes)
    except TeamRefused as error:
        _refuse(error)


@router.get("/teams", response={200: Page[TeamOut], **PROBLEMS})
def list_teams(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    _admin(request)
    return _page(queries.teams().order_by("id"), paging)


@router.post("/teams", response={201: TeamOut, **PROBLEMS})
def create_team(request: HttpRequest, payload: TeamIn) -> tuple[int, Team]:
    admin = _admin(request)
    try:
        return 201, services.create_team(admin, name=payload.name, managers=_people(payload.managers))
    except TeamRefused as error:
        _refuse(error)


@router.patch("/teams/{team_id}", response={200: TeamOut, **PROBLEMS})
def update_team(request: HttpRequest, team_id: Id, payload: TeamPatch) -> Team:
    admin = _admin(request)
    team = _existing(Team.objects.filter(pk=team_id).first())
    managers = None if payload.managers is None else _people(payload.managers)
    try:
        return services.update_team(admin, team, name=payload.name, managers=managers)
    except TeamRefused as error:
        _refuse(error)


@router.get("/workspace", response={200: WorkspaceOut, **PROBLEMS})
def get_workspace(request: HttpRequest) -> Workspace:
    return queries.workspace()


@router.patch("/workspace", response={200: WorkspaceOut, **PROBLEMS})
def update_workspace(request: HttpRequest, payload: WorkspacePatch) -> Workspace:
    admin = _admin(request)
    changes = payload.dict(exclude_unset=True)
    if "review_time" in changes:
        changes["review_time"] = time.fromisoformat(changes["review_time"])
    try:
        return services.update_workspace(admin, **changes)
    except TeamRefused as error:
        _refuse(error)


def _viewer(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _admin(request: HttpRequest) -> User:
    viewer = _viewer(request)
    if not viewer.is_admin:
        raise ApiProblem(403, "not_allowed", "Only administrators may see and change users and teams.")
    return viewer


def _existing(row: T | None) -> T:
    if row is None:
        raise ApiProblem(404, "not_found", "There is no such thing, or it is not yours to see.")
    return row


def _team(team_id: int | None) -> Team | None:
    if team_id is None:
        return None
    team = Team.objects.filter(pk=team_id).first()
    if team is None:
        raise ApiProblem(422, "invalid", "There is no such team.", errors=[("team", "unknown team")])
    return team


def _people(ids: Iterable[int]) -> list[User]:
    wanted = set(ids)
    people = list(User.objects.filter(pk__in=wanted))
    if len(people) != len(wanted):
        raise ApiProblem(422, "invalid", "There is no such user.", errors=[("managers", "unknown user")])
    return people


def _refuse(error: TeamRefused) -> NoReturn:
    errors = [(error.field, error.message)] if error.field else []
    raise ApiProblem(409 if error.code in CONFLICTS else 422, error.code, error.message, errors=errors) from error


def _page(rows: Any, paging: Paging) -> dict[str, Any]:
    """Rows by id, from the cursor on."""
    limit = clamp_limit(paging.limit)
    after = decode_cursor(paging.cursor, [int])
    if after:
        rows = rows.filter(pk__gt=after[0])
    items = list(rows[: limit + 1])
    more = len(items) > limit
    return {"items": items[:limit], "next_cursor": encode_cursor(items[limit - 1].pk) if more else None}
