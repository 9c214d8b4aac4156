"""Who may make which call, and for which tenant: decided here, for every call, by its entry in the route table.

An operator's key works in any tenant: the one that the header names, or else `default`. Any other key works in its own
tenant only. The header may name that one, and another one is as unknown to it as one that does not exist. All that a
handler does from here on it does within the tenant that it was given.

A customer who came by a portal link may do what that allows, with the subscriptions that it names. Others do not exist
for them: a path that names one is answered as one with an id that does not exist, and lists leave them out
(`RequestContext.subscriptions`).

The reader of a subscription's events comes with a key of its own, and may make the calls that are for readers.
"""

from collections.abc import Mapping

from signalpost.api.guards.principals import Principal
from signalpost.api.routing.context import TENANT
from signalpost.api.routing.route import Route
from signalpost.commands.subscriptions import subscription_not_found
from signalpost.domain.access.portal_link import PortalLink
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.errors import Forbidden, NotFound
from signalpost.engine.directory import Directory

DEFAULT_TENANT = "default"


def authorize(
    route: Route, principal: Principal, named: str | None, path: Mapping[str, str], directory: Directory
) -> Tenant:
    """The tenant that a call is for. `named` is the one of its header, `path` has the parameters of its path. Raises
    Forbidden, NotFound, and Conflict if the call would change something of a paused tenant."""
    if principal.portal is not None:
        _check_allowed(route, principal.portal, path, directory)
    elif principal.reads is not None:
        _check_reads(route, principal.reads, path)
    elif principal.role not in route.roles:
        raise Forbidden("role_not_allowed", f"A key with the role {principal.role} cannot do this.")
    tenant = _tenant(principal, named, directory)
    if tenant is None:
        raise NotFound("tenant_not_found", f"There is no such tenant; the header `{TENANT.decode()}` names one.")
    if route.changes_tenant:
        directory.check_changeable(tenant.id)
    return tenant


def _check_allowed(route: Route, link: PortalLink, path: Mapping[str, str], directory: Directory) -> None:
    """Shadows are the operator's: no link reaches one."""
    if route.portal is None or route.portal not in link.can:
        raise Forbidden("not_in_portal_link", "Your portal link does not allow that.")
    if "id" not in path:
        return
    found = directory.subscription(link.tenant_id, identity := path["id"].lower())
    if not link.reaches(identity) or (found is not None and found.shadow_of is not None):
        raise subscription_not_found()


def _check_reads(route: Route, reads: str, path: Mapping[str, str]) -> None:
    """A reader reads its own subscription, and knows of no other."""
    if not route.for_readers:
        raise Forbidden("role_not_allowed", "The key of a reader can read the events of its subscription, and no more.")
    if path["id"].lower() != reads:
        raise subscription_not_found()


def _tenant(principal: Principal, named: str | None, directory: Directory) -> Tenant | None:
    if principal.tenant_id is None:
        return directory.tenant(DEFAULT_TENANT if named is None else named)
    own = directory.tenant_with(principal.tenant_id)
    return own if own is not None and named in (None, own.name) else None
