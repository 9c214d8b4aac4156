"""Who may make which call, for which tenant, by the entry of the route table alone."""

from typing import Any

import pytest

from signalpost.api.guards.principals import Principal, visitor_of
from signalpost.api.routes import ROUTES
from signalpost.api.routing.authorization import authorize
from signalpost.api.routing.route import ABOUT_ACCESS, NOT_OF_TENANTS, Route
from signalpost.domain.access.api_key import Role
from signalpost.domain.access.portal_link import Capability, PortalLink
from signalpost.domain.access.sign_in import Ground
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.errors import CallerError, Conflict, Forbidden, NotFound
from signalpost.engine.directory import Directory

DEFAULT, ACME, PAUSED = Tenant(1, "default"), Tenant(2, "acme"), Tenant(3, "paused", paused_at=1)
NOBODYS = "nobodys"
OWN, OTHERS, ABSENT = (f"00000000-0000-4000-a000-00000000000{digit}" for digit in "123")
FOR_PORTALS = [route for route in ROUTES if route.portal is not None]
LISTS = {"list_subscriptions", "list_deliveries", "create_subscription", "check_subscription"}
"""Calls of customers that name no subscription."""
each_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
each_role = pytest.mark.parametrize("role", Role)


def caller(role: Role, tenant: Tenant = ACME) -> Principal:
    return Principal(1, "an id", "someone", role, None if role is Role.OPERATOR else tenant.id)


READER = Principal(-7, OWN, "a reader", None, ACME.id, reads=OWN)


def allowed(route: Route, principal: Principal, named: str | None, of: str = OWN) -> Tenant | CallerError:
    """`of` is the id in the path, where it has one."""
    path = {"id": of} if "{id}" in route.path else {}
    directory = Directory()
    directory.load([DEFAULT, ACME, PAUSED], [], [], [])
    try:
        return authorize(route, principal, named, path, directory)
    except CallerError as refused:
        return refused


@each_route
@each_role
def test_a_call_is_for_the_roles_of_its_entry_alone(route: Route, role: Role) -> None:
    found = allowed(route, caller(role), ACME.name)
    assert isinstance(found, Tenant if role in route.roles else Forbidden)


def test_a_reader_makes_the_calls_for_readers_of_its_own_subscription_alone() -> None:
    for route in ROUTES:
        found = [allowed(route, READER, None, each) for each in (OWN, OWN.upper(), OTHERS)]
        if route.for_readers:
            assert found[:2] == [ACME, ACME]
            assert isinstance(found[2], NotFound)
        else:
            assert all(isinstance(each, Forbidden) for each in found)


@each_route
def test_an_operator_works_in_the_tenant_that_is_named_or_else_in_default(route: Route) -> None:
    if route.for_readers:
        return
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
        is_allowed = route.method == "GET" or route.path.startswith(NOT_OF_TENANTS)
        assert isinstance(found, Tenant if is_allowed else Conflict)


def test_only_an_operator_touches_what_concerns_access_and_nobody_lesser_makes_a_key() -> None:
    for route in ROUTES:
        if route.path.startswith(ABOUT_ACCESS):
            assert route.roles == {Role.OPERATOR}


def test_a_viewer_changes_nothing_and_whatever_one_may_read_a_viewer_may_except_access() -> None:
    for route in ROUTES:
        about_access = route.path.startswith(ABOUT_ACCESS)
        assert (Role.VIEWER in route.roles) == (route.method == "GET" and not about_access)


# --- Customers who came by a portal link ------------------------------------------------------------------------------


def customer(*can: Capability, subscriptions: Any = (OWN,), tenant: Tenant = ACME) -> Principal:
    link = PortalLink(
        number=7,
        tenant_id=tenant.id,
        id="a link",
        hash=b"",
        maker=Ground("key", "operator", b""),
        created_by="operator",
        created_at=0,
        ends_at=1,
        name="someone",
        subscriptions=subscriptions,
        can=can,
    )
    return visitor_of(link)


@each_route
def test_a_customer_makes_the_calls_that_the_link_allows_and_no_others(route: Route) -> None:
    for capability in Capability:
        found = allowed(route, customer(capability), ACME.name)
        assert isinstance(found, Tenant if capability is route.portal else Forbidden)
    assert isinstance(allowed(route, customer(), ACME.name), Forbidden)


@pytest.mark.parametrize("route", FOR_PORTALS, ids=lambda route: route.name)
def test_to_a_customer_another_subscription_is_one_that_does_not_exist(route: Route) -> None:
    if route.name in LISTS:
        assert "{id}" not in route.path
        return
    assert route.path.startswith("/v1/subscriptions/{id}")
    someone = customer(*Capability)
    assert allowed(route, someone, None) == ACME
    assert allowed(route, someone, None, OWN.upper()) == ACME
    others, absent = (allowed(route, someone, None, each) for each in (OTHERS, ABSENT))
    assert isinstance(others, NotFound)
    assert isinstance(absent, NotFound)
    assert (others.code, others.detail) == (absent.code, absent.detail)
    assert allowed(route, customer(*Capability, subscriptions="all"), None, OTHERS) == ACME


@each_route
def test_a_customer_knows_of_no_other_tenant_and_changes_nothing_of_a_paused_one(route: Route) -> None:
    if route.portal is None:
        return
    for elsewhere in (DEFAULT.name, NOBODYS):
        assert isinstance(allowed(route, customer(*Capability), elsewhere), NotFound)
    found = allowed(route, customer(*Capability, tenant=PAUSED), None)
    assert isinstance(found, Tenant if route.method == "GET" else Conflict)


def test_nothing_of_access_documents_and_the_log_is_for_customers() -> None:
    assert {route.path.split("/")[2] for route in FOR_PORTALS} == {"subscriptions", "deliveries"}
    assert {route.portal for route in FOR_PORTALS} == set(Capability)
