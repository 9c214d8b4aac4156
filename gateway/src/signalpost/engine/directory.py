"""The directory holds what every node knows, whichever lanes it owns, as it was last committed: tenants, API keys (also
those that were revoked), subscriptions and connections that are not deleted.

It is loaded at the start and follows every commit. Nothing but a restart reads it from the store again.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from operator import attrgetter

from msgspec.structs import replace

from signalpost.domain.access.api_key import ApiKey, hash_key
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.access.tenant_limits import NO_LIMITS, TenantLimits
from signalpost.domain.connection import Connection
from signalpost.domain.errors import Conflict, NotFound
from signalpost.domain.subscription import Subscription
from signalpost.engine.subscription_texts import SubscriptionTexts
from signalpost.store.store import PublishedBatch
from signalpost_receiver.sign import reader_key


class Directory:
    def __init__(self, default_limits: TenantLimits = NO_LIMITS, default_retention_days: int = 30) -> None:
        """The defaults apply to tenants for which nothing else was set."""
        self._default_limits = default_limits
        self._default_retention_days = default_retention_days
        self._limits: dict[int, TenantLimits] = {}
        """The limits in force for each tenant that has any."""
        self.limits_of: Callable[[int], TenantLimits | None] = self._limits.get
        """A tenant's limits; None if it has none."""
        self._tenants: dict[str, Tenant] = {}
        self._tenants_by_id: dict[int, Tenant] = {}
        """Tenants that are not deleted. The ends of their logs are those of when they last changed."""
        self.tenant: Callable[[str], Tenant | None] = self._tenants.get
        """The tenant with a name; None if there is none or it was deleted."""
        self.tenant_with: Callable[[int], Tenant | None] = self._tenants_by_id.get
        """The tenant with a number; None if there is none or it was deleted."""
        self._keys: dict[bytes, ApiKey] = {}
        """API keys by their hash, also those that were revoked."""
        self.key_ended = asyncio.Event()
        """Set when an API key is revoked; another one takes its place then."""
        self._subscriptions: dict[int, dict[str, Subscription]] = {}
        """Subscriptions by tenant and id, in the order of creation."""
        self._subscriptions_by_number: dict[int, Subscription] = {}
        self._listed: dict[int, list[tuple[Subscription, ...]]] = {}
        """The subscriptions of tenants that were asked for since they last changed."""
        self._originals: dict[int, list[tuple[Subscription, ...]]] = {}
        """The same without shadows."""
        self._texts = SubscriptionTexts()
        self._shadows: dict[str, str] = {}
        """The ids of shadows by those of their originals."""
        self._with_key_pair: dict[str, Subscription] = {}
        """The subscriptions that sign with a key pair, by id."""
        self._readers: dict[bytes, Subscription] = {}
        """The subscriptions whose events are read, by the hashes of the keys of their readers."""
        self._read: dict[int, dict[str, Subscription]] = {}
        """The same by tenant and id."""
        self._connections: dict[tuple[int, str], Connection] = {}
        """Connections by tenant and id."""

    def load(
        self,
        tenants: Iterable[Tenant],
        keys: Iterable[ApiKey],
        subscriptions: Iterable[Subscription],
        connections: Iterable[Connection],
    ) -> None:
        """Replace everything with this."""
        self._limits.clear()
        self._tenants.clear()
        self._tenants_by_id.clear()
        self._keys.clear()
        self._subscriptions.clear()
        self._subscriptions_by_number.clear()
        self._listed.clear()
        self._originals.clear()
        self._texts.clear()
        self._shadows.clear()
        self._with_key_pair.clear()
        self._readers.clear()
        self._read.clear()
        self._connections.clear()
        self._follow_tenants(tenants)
        self._follow_keys(keys)
        self._follow_subscriptions(subscriptions)
        self._follow_connections(connections)

    def follow(self, published: PublishedBatch) -> None:
        """Take up what a commit changed."""
        self._follow_tenants(published.tenants)
        self._follow_keys(published.changed(ApiKey))
        self._follow_subscriptions(published.changed(Subscription))
        self._follow_connections(published.changed(Connection))

    def with_all_of_deleted_tenants(self, published: PublishedBatch) -> PublishedBatch:
        """What a commit changed, with what ended with the tenants that it deleted: their subscriptions and
        connections."""
        deleted = {tenant.id: tenant.deleted_at for tenant in published.tenants if tenant.deleted_at is not None}
        if not deleted:
            return published
        subscriptions = [each for tenant_id in deleted for each in self.subscriptions(tenant_id)]
        connections = [each for (tenant_id, _), each in self._connections.items() if tenant_id in deleted]
        rows = {**published.rows}
        for kind, ended in ((Subscription, subscriptions), (Connection, connections)):
            rows[kind] = (
                *published.changed(kind),
                *(replace(each, deleted_at=deleted[each.tenant_id]) for each in ended),
            )
        return replace(published, rows=rows)

    @property
    def tenant_ids(self) -> tuple[int, ...]:
        return tuple(self._tenants_by_id)

    def tenants(self) -> list[Tenant]:
        """All tenants that are not deleted, oldest first."""
        return list(self._tenants_by_id.values())

    def retention_days_of(self, tenant_id: int) -> int:
        """How many days a tenant's events are kept."""
        tenant = self._tenants_by_id.get(tenant_id)
        if tenant is None or tenant.retention_days is None:
            return self._default_retention_days
        return tenant.retention_days

    def check_changeable(self, tenant_id: int) -> None:
        """Raises Conflict while the tenant is paused, NotFound once it is deleted: it may not be changed."""
        tenant = self._tenants_by_id.get(tenant_id)
        if tenant is None:
            raise NotFound("tenant_not_found", "The tenant was deleted.")
        if tenant.paused_at is not None:
            detail = f"The tenant {tenant.name} is paused: nothing in it can be changed until an operator resumes it."
            raise Conflict("tenant_paused", detail)

    def key(self, digest: bytes) -> ApiKey | None:
        """The API key with this hash, which may have been revoked; None if there is none."""
        return self._keys.get(digest)

    def all_keys(self) -> Iterator[ApiKey]:
        """Every API key, also those that were revoked."""
        return iter(self._keys.values())

    def subscription(self, tenant_id: int, subscription_id: str) -> Subscription | None:
        """The subscription with this id; None if there is none or it was deleted."""
        return self._subscriptions.get(tenant_id, {}).get(subscription_id)

    def shadow_of(self, subscription_id: str) -> str | None:
        """The id of the shadow of a subscription; None if it has none."""
        return self._shadows.get(subscription_id)

    def with_key_pair(self, subscription_id: str) -> Subscription | None:
        """The subscription with this id, of any tenant, if it signs with a key pair."""
        found = self._with_key_pair.get(subscription_id)
        return found if found is not None and found.tenant_id in self._tenants_by_id else None

    def reader(self, digest: bytes, now: int) -> Subscription | None:
        """The subscription, of any tenant, that may be read with the key with this hash at `now`; None if none may."""
        found = self._readers.get(digest)
        if found is None or found.tenant_id not in self._tenants_by_id:
            return None
        keys = (found.with_secrets_of(now).secret, found.with_secrets_of(now).next_secret)
        return found if digest in (hash_key(reader_key(each)) for each in keys if each is not None) else None

    def subscription_with(self, number: int) -> Subscription | None:
        """The subscription with this number; None if there is none or it was deleted."""
        return self._subscriptions_by_number.get(number)

    def subscriptions(self, tenant_id: int) -> tuple[Subscription, ...]:
        """All of a tenant's subscriptions that are not deleted, oldest first, which is in the order of their
        numbers."""
        # To go through 100,000 takes milliseconds, so it is done once for all who ask until one of them changes. Any
        # thread may ask: what it finds is kept only where a change that it may have missed lets go of it.
        kept = self._listed.setdefault(tenant_id, [])
        if not kept:
            kept.append(tuple(self._subscriptions.get(tenant_id, {}).values()))
        return kept[0]

    def originals(self, tenant_id: int) -> tuple[Subscription, ...]:
        """The same without shadows."""
        kept = self._originals.setdefault(tenant_id, [])
        if not kept:
            kept.append(tuple(each for each in self.subscriptions(tenant_id) if each.shadow_of is None))
        return kept[0]

    def subscriptions_having(self, tenant_id: int, texts: Collection[str]) -> Iterator[Subscription]:
        """A tenant's subscriptions that have one of these texts in their name, in their URL as it is shown, or in the
        address of a contact, whether in capitals or not. Oldest first. Any thread may ask."""
        return self._texts.having(tenant_id, self.subscriptions(tenant_id), texts)

    def shadow_numbers(self, tenant_id: int) -> frozenset[int]:
        """The numbers of a tenant's shadows."""
        if len(every := self.subscriptions(tenant_id)) == len(self.originals(tenant_id)):
            return frozenset()  # as of most tenants
        return frozenset(each.number for each in every if each.shadow_of is not None)

    @property
    def subscription_count(self) -> int:
        """How many subscriptions there are that are not deleted, of all tenants."""
        return sum(map(len, self._subscriptions.values()))

    def subscription_count_of(self, tenant_id: int) -> int:
        """How many subscriptions a tenant has that are not deleted."""
        return len(self._subscriptions.get(tenant_id, ()))

    @property
    def lane_count(self) -> int:
        """How many lanes there are that nodes own, of all tenants: those whose events are read have none."""
        return self.subscription_count - sum(map(len, self._read.values()))

    def lane_count_of(self, tenant_id: int) -> int:
        """How many lanes a tenant has that nodes own."""
        return self.subscription_count_of(tenant_id) - len(self._read.get(tenant_id, ()))

    def read_subscriptions(self, tenant_id: int) -> list[Subscription]:
        """A tenant's subscriptions whose events are read."""
        return [*self._read.get(tenant_id, {}).values()]

    def all_subscriptions(self) -> Iterator[Subscription]:
        """Every tenant's subscriptions that are not deleted."""
        return (each for of_tenant in self._subscriptions.values() for each in of_tenant.values())

    def connections(self, tenant_id: int) -> list[Connection]:
        """All of a tenant's connections that are not deleted."""
        return [each for (owner, _), each in self._connections.items() if owner == tenant_id]

    def connection(self, tenant_id: int, connection_id: str) -> Connection | None:
        """The connection with this id; None if there is none or it was deleted."""
        return self._connections.get((tenant_id, connection_id))

    def _follow_tenants(self, tenants: Iterable[Tenant]) -> None:
        for tenant in tenants:
            limits = tenant.limits.over(self._default_limits)
            self._limits.pop(tenant.id, None)
            if tenant.deleted_at is None:
                self._tenants[tenant.name] = self._tenants_by_id[tenant.id] = tenant
                if limits != NO_LIMITS:
                    self._limits[tenant.id] = limits
            elif (gone := self._tenants_by_id.pop(tenant.id, None)) is not None:
                del self._tenants[gone.name]
                self._keys = {digest: key for digest, key in self._keys.items() if key.tenant_id != tenant.id}

    def _follow_keys(self, keys: Iterable[ApiKey]) -> None:
        for key in keys:
            if key.tenant_id not in self._tenants_by_id:
                continue  # it was deleted, and its keys are there until they are erased
            known = self._keys.get(key.hash)
            # What was read before a key was revoked may arrive after that.
            if known is None or known.revoked_at is None:
                self._keys[key.hash] = key
                if known is not None and key.revoked_at is not None:
                    ended, self.key_ended = self.key_ended, asyncio.Event()
                    ended.set()

    def _follow_subscriptions(self, subscriptions: Iterable[Subscription]) -> None:
        for subscription in subscriptions:
            of_tenant = self._subscriptions.setdefault(subscription.tenant_id, {})
            newest = next(reversed(of_tenant.values())).number if of_tenant else 0
            if subscription.key_pair is None:
                self._with_key_pair.pop(subscription.id, None)
            else:
                self._with_key_pair[subscription.id] = subscription
            if subscription.is_read:
                self._follow_reader(of_tenant.get(subscription.id), subscription)
            if subscription.deleted_at is None:
                is_new = subscription.id not in of_tenant
                of_tenant[subscription.id] = self._subscriptions_by_number[subscription.number] = subscription
                if is_new and subscription.number < newest:  # other nodes create some, too
                    self._subscriptions[subscription.tenant_id] = _in_order(of_tenant)
                if subscription.shadow_of is not None:
                    self._shadows[subscription.shadow_of] = subscription.id
            else:
                of_tenant.pop(subscription.id, None)
                self._subscriptions_by_number.pop(subscription.number, None)
                if subscription.shadow_of is not None and self._shadows.get(subscription.shadow_of) == subscription.id:
                    del self._shadows[subscription.shadow_of]
            # Last, and in this order: a thread that asks meanwhile keeps nothing that was so before.
            self._listed.pop(subscription.tenant_id, None)
            self._originals.pop(subscription.tenant_id, None)
            self._texts.forget(subscription)

    def _follow_reader(self, known: Subscription | None, now: Subscription) -> None:
        """Take up the keys of a reader, whose secrets may be others than before."""
        for each in _reader_keys(known):
            self._readers.pop(each, None)
        read = self._read.setdefault(now.tenant_id, {})
        read.pop(now.id, None)
        if now.deleted_at is None:
            self._readers.update(dict.fromkeys(_reader_keys(now), now))
            read[now.id] = now

    def _follow_connections(self, connections: Iterable[Connection]) -> None:
        for connection in connections:
            if connection.deleted_at is None:
                self._connections[connection.tenant_id, connection.id] = connection
            else:
                self._connections.pop((connection.tenant_id, connection.id), None)


def _in_order(subscriptions: Mapping[str, Subscription]) -> dict[str, Subscription]:
    return {each.id: each for each in sorted(subscriptions.values(), key=attrgetter("number"))}


def _reader_keys(subscription: Subscription | None) -> list[bytes]:
    """The hashes of the keys of a subscription's reader: of the present secret and of the next one, if there is one."""
    secrets = () if subscription is None else (subscription.secret, subscription.next_secret)
    return [hash_key(reader_key(each)) for each in secrets if each]
