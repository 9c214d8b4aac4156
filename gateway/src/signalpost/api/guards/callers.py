"""The callers of requests, and whose part of what all share they count against (`sharing/shares.py`).

An operator works in every tenant, and has a part of their own beside each: a tenant that takes all it can get locks no
operator out. Requests of which it is not known yet whose they are have one part together, shared by address.
"""

from signalpost.api.guards.principals import Principal
from signalpost.domain.access.api_key import Role
from signalpost.domain.access.sign_in_tries import place_of
from signalpost.sharing.shares import NOBODY, Caller


def caller_of(principal: Principal, tenant_id: int) -> Caller:
    """The caller who works in a tenant."""
    own = (tenant_id, principal.kind, principal.key_id)
    return Caller(tenant_id, (own,) if principal.role is Role.OPERATOR else (tenant_id, own))


def stranger(address: str | None) -> Caller:
    """A caller of whom only the address is known."""
    return Caller(NOBODY, (NOBODY, (NOBODY, place_of(address))))
