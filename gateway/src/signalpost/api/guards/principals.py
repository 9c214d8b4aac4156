"""Finds out who sends a request, by the key in its `Authorization` header or by the ground of a session."""

import hmac
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Literal, Self

from msgspec import Struct

from signalpost.domain.access.api_key import OPERATOR_NAME, OPERATOR_NUMBER, ApiKey, Role, hash_key
from signalpost.domain.access.member import Member
from signalpost.domain.access.portal_link import PortalLink
from signalpost.domain.access.sign_in import Ground
from signalpost.domain.errors import Unauthenticated
from signalpost.domain.subscription import Subscription
from signalpost.engine.engine import Engine
from signalpost.engine.fleet.lookout import Lookout
from signalpost.store.store import Store


class Principal(Struct, frozen=True):
    """Who a request comes from: an API key, a member who is signed in to the console, or a customer who came by a
    portal link."""

    key_id: int
    """The number of the API key, the member or the portal link; 0 for the operator's key of the settings, whose `id` is
    its name; below that for the reader of a subscription."""
    id: str
    name: str
    role: Role | None
    """None for a customer, whose portal link says what they may do, and for a reader."""
    tenant_id: int | None = None
    """The only tenant that it works in; None for an operator, who works in any."""
    proof: bytes = b""
    """What must still be true of it for its sessions to be valid, such as a key's hash; empty for the operator's key of
    the settings."""
    kind: Literal["key", "member", "portal-link"] = "key"
    portal: PortalLink | None = None
    """The link by which a customer came."""
    reads: str | None = None
    """The only subscription that it works with, whose events it reads; None for every other caller."""


DIGESTS_REMEMBERED = 1_000
OPERATOR = Principal(OPERATOR_NUMBER, OPERATOR_NAME, OPERATOR_NAME, Role.OPERATOR)


class EndedKey(Unauthenticated):
    """A key that was revoked or has expired. Its sender may use it by mistake, or may have stolen it."""

    def __init__(self, code: str, detail: str, key: ApiKey) -> None:
        super().__init__(code, detail)
        self.key = key


class Principals:
    def __init__(
        self,
        operator_key: str,
        find: Callable[[bytes], ApiKey | None],
        now: Callable[[], int],
        note_use: Callable[[ApiKey], None],
        lookout: Lookout,
        find_member: Callable[[str], Awaitable[Member | None]],
        find_portal_link: Callable[[str], Awaitable[PortalLink | None]],
        find_reader: Callable[[bytes, int], Subscription | None],
        know_all: Callable[[], Awaitable[None]],
    ) -> None:
        """`operator_key` is the key of the settings. `find` returns the API key with a hash, also one that was revoked,
        `find_member` the member with an id, `find_portal_link` the link with one, and `find_reader` the subscription
        that may be read at a time with the key with a hash, once `know_all` has ended; `now` is the wall clock, in µs;
        `note_use` is told of every key that opened something, or whose portal link did. `lookout` says until when what
        `find` returns counts."""
        self._operator = hash_key(operator_key)
        self._find = find
        self._now = now
        self._note_use = note_use
        self._lookout = lookout
        self._find_member = find_member
        self._find_portal_link = find_portal_link
        self._find_reader = find_reader
        self._know_all = know_all
        self._digests: dict[str | None, bytes] = {}
        """The hashes of keys that opened something, by the headers that they came in."""

    @classmethod
    def of_gateway(cls, operator_key: str, engine: Engine, store: Store, now: Callable[[], int]) -> Self:
        """The principals of a gateway with this engine and store."""
        find, note_use, access = engine.directory.key, engine.maintenance.key_uses.note, store.access
        find_reader = engine.directory.reader
        return cls(
            operator_key,
            find,
            now,
            note_use,
            engine.lookout,
            access.member,
            access.portal_link,
            find_reader,
            engine.know_all,
        )

    def at_once(self, authorization: str | None) -> Principal | None:
        """The sender of a request with this `Authorization` header, if this node knows that now."""
        if not self._lookout.is_recent:
            return None
        digest = self._digests.get(authorization)
        try:
            if digest is not None:
                return self._with_hash(digest)
            digest = _hash_in(authorization)
            principal = self._with_hash(digest)
        except Unauthenticated:
            return None
        if len(self._digests) >= DIGESTS_REMEMBERED:
            self._digests.clear()
        self._digests[authorization] = digest
        return principal

    async def of(self, authorization: str | None) -> Principal:
        """The sender of a request with this `Authorization` header. Raises Unauthenticated, and Unavailable if it is
        not known which keys there are."""
        return await self._known(_hash_in(authorization))

    def ground_of(self, principal: Principal) -> Ground:
        """What a session of this principal comes from."""
        return Ground(principal.kind, principal.id, principal.proof or self._operator)

    async def on(self, ground: Ground) -> Principal:
        """The principal of a session with this ground. Raises Unauthenticated if the ground has ended: a key was
        revoked or has expired, a member was removed or has another role or password, a portal link has ended. Raises
        Unavailable if that cannot be known."""
        if ground.kind == "key":
            return await self._known(ground.proof)
        if ground.kind == "portal-link":
            return await self._on_portal_link(ground)
        member = await self._find_member(ground.id)
        if member is None or not member.is_active or member.proof != ground.proof:
            raise _ended()
        return principal_of(member)

    async def _on_portal_link(self, ground: Ground) -> Principal:
        """Raises Unauthenticated if the link has ended, or its maker may no longer do anything."""
        link = await self._find_portal_link(ground.id)
        if link is None or link.proof != ground.proof or not link.is_in_use(self._now()):
            raise _ended()
        await self.on(link.maker)
        return visitor_of(link)

    async def _known(self, digest: bytes) -> Principal:
        """The principal of the key with this hash, which may have been made a moment ago, on another node. Raises as
        `of` does."""
        if hmac.compare_digest(digest, self._operator):
            return OPERATOR
        await self._lookout.be_recent()
        with suppress(Unauthenticated):
            return self._with_hash(digest)
        await self._lookout.next_look()
        await self._know_all()  # the look has shown which tenants' subscriptions changed, and not how
        return self._with_hash(digest)

    def _with_hash(self, digest: bytes) -> Principal:
        if hmac.compare_digest(digest, self._operator):
            return OPERATOR
        # It is looked up by its hash, so the time that takes tells nothing about the key.
        if (read := self._find_reader(digest, self._now())) is not None:
            return reader_of(read, digest)
        found = self._valid(digest)
        self._note_use(found)
        tenant_id = None if found.role is Role.OPERATOR else found.tenant_id
        return Principal(found.number, found.id, found.name, found.role, tenant_id, digest)

    async def check(self, principal: Principal) -> None:
        """Raises Unauthenticated if the key was revoked, or expired, since `of` found it, and Unavailable if that
        cannot be known. A member is looked at with their session, whenever that is used and while an answer to it
        lasts."""
        await self._lookout.be_recent()
        if principal.reads is not None:
            if self._find_reader(principal.proof, self._now()) is None:
                raise unknown_key()
        elif principal.kind == "key" and principal is not OPERATOR:
            self._valid(principal.proof)

    def _valid(self, digest: bytes) -> ApiKey:
        found = self._find(digest)
        if found is None:
            raise unknown_key()
        if found.revoked_at is not None:
            raise EndedKey("unknown_key", str(unknown_key()), found)
        if found.expires_at is not None and found.expires_at <= self._now():
            raise EndedKey("expired_key", "This key has expired. Ask an operator for a new one.", found)
        return found


def _hash_in(authorization: str | None) -> bytes:
    """The hash of the key in an `Authorization` header. Raises Unauthenticated."""
    scheme, _, key = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthenticated("no_key", "Send your key in the header `Authorization: Bearer sp_…`.")
    return hash_key(key.strip())


def principal_of(member: Member) -> Principal:
    tenant_id = None if member.role is Role.OPERATOR else member.tenant_id
    return Principal(member.number, member.id, member.name, member.role, tenant_id, member.proof, "member")


def visitor_of(link: PortalLink) -> Principal:
    """A customer who came by a portal link."""
    return Principal(
        link.number, link.id, link.name, None, link.tenant_id, proof=link.proof, kind="portal-link", portal=link
    )


def reader_of(subscription: Subscription, digest: bytes) -> Principal:
    """Who reads the events of a subscription, with a key that has this hash."""
    return Principal(
        -subscription.number,
        subscription.id,
        f"reader of {subscription.name}",
        None,
        subscription.tenant_id,
        digest,
        reads=subscription.id,
    )


def _ended() -> Unauthenticated:
    return Unauthenticated("session_ended", "This session has ended. Sign in again.")


def unknown_key() -> Unauthenticated:
    return Unauthenticated("unknown_key", "This key is not known here, or was revoked.")
