"""Who may make which call, for which tenant, by the entry of the route table alone."""

import pytest

from signalpost.api.http.principals import Principal
from signalpost.api.routes import ROUTES
from signalpost.api.routing.authorization import authorize
from signalpost.api.routing.route import ABOUT_ACCESS, Route
from signalpost.domain.api_key import Role
from signalpost.domain.errors import CallerError, Conflict, Forbidden, NotFound
from signalpost.domain.tenant import Tenant
from signalpost.engine.directory import Directory

DEFAULT, ACME, PAUSED = Tenant(1, "default"), Tenant(2, "acme"), Tenant(3, "paused", paused_at=1)
NOBODYS = "nobodys"
each_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
each_role = pytest.mark.parametrize("role", Role)


def caller(role: Role, tenant: Tenant = ACME) -> Principal:
    return Principal(1, "an id", "someone", role, None if role is Role.OPERATOR else tenant.id)


def allowed(route: Route, principal: Principal, named: str | None) -> Tenant | CallerError:
    directory = Directory()
    directory.load([DEFAULT, ACME, PAUSED], [], [], [])
    try:
        return authorize(route, principal, named, directory)
    except CallerError as refused:
        return refused


@each_route
@each_role
def test_a_call_is_for_the_roles_of_its_entry_alone(route: Route, role: Role) -> None:
    found = allowed(route, caller(role), ACME.name)
    assert isinstance(found, Tenant if role in route.roles else Forbidden)


@each_route
def test_an_operator_works_in_the_tenant_that_is_named_or_else_in_default(route: Route) -> None:
    operator = caller(Role.OPERATOR)
    assert allowed(route, operator, None) == DEFAULT
    assert allowed(route, operator, ACME.name) == ACME
    assert isinstance(allowed(route, operator, NOBODYS), NotFound)


@each_route
def test_any_other_key_works_in_its_own_tenant_and_knows_of_no_other(route: Route) -> None:
    for role in route.roles - {Role.OPERATOR}:
        key = caller(role)
        assert allowed(route, key, None) == allowed(route, key, ACME.name) == ACME
        absent, others = allowed(route, key, NOBODYS), allowed(route, key, DEFAULT.name)
        assert isinstance(absent, NotFound)
        assert isinstance(others, NotFound)
        assert (absent.code, absent.detail) == (others.code, others.detail)


@each_route
def test_nothing_of_a_paused_tenant_can_be_changed_and_everything_can_be_read(route: Route) -> None:
    for role in route.roles:
        found = allowed(route, caller(role, PAUSED), PAUSED.name)
        about_access = route.path.startswith(ABOUT_ACCESS)
        assert isinstance(found, Tenant if route.method == "GET" or about_access else Conflict)


def test_only_an_operator_touches_what_concerns_access_and_nobody_lesser_makes_a_key() -> None:
    for route in ROUTES:
        if route.path.startswith(ABOUT_ACCESS):
            assert route.roles == {Role.OPERATOR}


def test_a_viewer_changes_nothing_and_whatever_one_may_read_a_viewer_may_except_access() -> None:
    for route in ROUTES:
        about_access = route.path.startswith(ABOUT_ACCESS)
        assert (Role.VIEWER in route.roles) == (route.method == "GET" and not about_access)
