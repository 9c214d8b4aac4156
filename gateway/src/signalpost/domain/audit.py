"""The audit: who did what to which object, from where, and with what result. Each entry is chained to the one before.

Two chains run through the entries, so that no one can change one unnoticed.

- **Hashes**, by tenant. An entry's content names its number and the hash of the tenant's entry before it; its own hash
  is the SHA-256 of its content. A reader of the entries can check them alone, without a key and without seeing
  those of other tenants, and a hash that was written down elsewhere shows later that nothing up to it has changed.
- **Proofs**, through the whole database. A proof is a keyed hash (HMAC) of the proof before it and of everything that
  is stored of the entry. A person who can write to the database but does not know the master key can make hashes that
  fit, but no proofs.

The **end** of a chain says where it begins (the retention removes the oldest entries) and where it ends, proven too: so
that entries which are missing at either end are missed. There is one end for each tenant that has had an entry, and one
of number 0 for the whole database, in which proofs stand for hashes.

What no proof in the database can show is that all of it is gone, or was exchanged for an earlier copy. A **sealed end**
shows that: the end of the whole as it once was, with a proof, as text that can be kept anywhere. The gateway keeps the
latest in its data directory. And everyone who may come in is **named**: every API key and every member has an entry.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from signalpost.domain.timestamps import SECOND, format_timestamp

ActorKind = Literal["key", "member", "portal-link", "program", "command-line", "consent", "contact", "gateway"]
"""An API key; a person who is signed in to the console; a customer who came by a portal link; a program that embeds the
gateway; a command that opens the database itself; a browser that brings a person's consent; a contact who
unsubscribes; the gateway by itself."""
Outcome = Literal["done", "refused"]
NOTHING: Final = bytes(32)
"""Stands for the hash, or the proof, before the first."""
_SEALED_END: Final = re.compile(r"(\d{1,18}):([0-9a-f]{64}):([0-9a-f]{64})", re.ASCII)
WHOLE: Final = 0
"""The number under which the end of the chain of proofs is kept. No tenant has it."""

END_FILE: Final = "audit-end"
"""The file in the data directory with the latest sealed end."""


class Actor(Struct, frozen=True, kw_only=True):
    """Who asks for a change, and from where."""

    kind: ActorKind
    id: str
    """The id of the API key or of the member, or a word for an actor without an id."""
    name: str
    role: str | None = None
    source: str | None = None
    """The address of the client, as far as trusted proxies vouch for it."""
    request: str | None = None
    """The id of the request in the gateway's log."""


GATEWAY: Final = Actor(kind="gateway", id="gateway", name="gateway")
COMMAND_LINE: Final = Actor(kind="command-line", id="command-line", name="command line")


class Object(NamedTuple):
    """What an entry is about."""

    kind: str
    id: str


class EntryDraft(Struct, frozen=True, kw_only=True):
    """An entry that has no place in the chains yet."""

    tenant_id: int
    at: int
    """When it happened, µs since the epoch."""
    actor: Actor
    action: str
    object: Object
    outcome: Outcome = "done"
    changes: Mapping[str, Any] = {}
    """What changed, by member: what it was (`old`) and what it became (`new`), without secrets."""


class AuditEntry(NamedTuple):
    """An entry as it is kept. `at`, `actor` and `object` are what entries are found by; the content says them too."""

    position: int
    """The place among the entries of the whole database: 1, 2, 3 …"""
    tenant_id: int
    number: int
    """The place among the entries of its tenant: 1, 2, 3 …"""
    at: int
    actor: str
    """The actor's id."""
    object: str
    """The object's id."""
    content: bytes
    hash: bytes
    proof: bytes


class End(Struct, frozen=True, kw_only=True):
    """Where a chain begins and ends."""

    tenant_id: int
    first: int = 1
    """The number of the oldest entry that is kept, or would be. Those before it were removed."""
    before: bytes = NOTHING
    """The hash of the last entry that was removed."""
    last: int = 0
    hash: bytes = NOTHING
    """The hash of the last entry."""
    tenants: int = 0
    """How many tenants have an end; only in the end of the whole audit."""


class Notary:
    """Makes proofs with a key that is used for nothing else."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def proof(self, before: bytes, entry: AuditEntry) -> bytes:
        """The proof of an entry after the one with the proof `before`."""
        said = (entry.position, entry.tenant_id, entry.number, entry.at, entry.actor, entry.object, entry.hash.hex())
        return self._mac("entry", before.hex(), *said)

    def proof_of_end(self, end: End) -> bytes:
        said = (end.tenant_id, end.first, end.before.hex(), end.last, end.hash.hex(), end.tenants)
        return self._mac("end", *said)

    def seal(self, end: End) -> str:
        """The end of the whole as a text to be kept elsewhere."""
        return f"{end.last}:{end.hash.hex()}:{self._mac('sealed end', end.last, end.hash.hex()).hex()}"

    def opened(self, sealed: str) -> tuple[int, bytes] | None:
        """The position and the proof of the entry at which an end was sealed; None if this gateway did not seal it."""
        found = _SEALED_END.fullmatch(sealed)
        if found is None:
            return None
        position, proof, mac = int(found[1]), found[2], found[3]
        if not hmac.compare_digest(mac, self._mac("sealed end", position, proof).hex()):
            return None
        return position, bytes.fromhex(proof)

    def _mac(self, *said: object) -> bytes:
        return hmac.digest(self._key, msgspec.json.encode(said), hashlib.sha256)


def canonical(content: Mapping[str, Any]) -> bytes:
    """The bytes of an entry's content that its hash is made of: JSON with sorted members and no spaces, in UTF-8."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode(
        errors="backslashreplace"
    )


def linked(draft: EntryDraft, tenant: str, own: End, whole: End, notary: Notary) -> tuple[AuditEntry, End, End]:
    """The entry of a draft after the ends of its tenant's chain and of the whole, and the ends that it leaves. `tenant`
    is the tenant's name."""
    actor = draft.actor
    content = canonical(
        {
            "number": own.last + 1,
            "at": format_timestamp(draft.at),
            "tenant": tenant,
            "actor": {"kind": actor.kind, "id": actor.id, "name": actor.name, "role": actor.role},
            "source": actor.source,
            "request": actor.request,
            "action": draft.action,
            "object": {"kind": draft.object.kind, "id": draft.object.id},
            "outcome": draft.outcome,
            "changes": draft.changes,
            "previous": own.hash.hex(),
        }
    )
    entry = AuditEntry(
        position=whole.last + 1,
        tenant_id=draft.tenant_id,
        number=own.last + 1,
        at=draft.at,
        actor=actor.id,
        object=draft.object.id,
        content=content,
        hash=hashlib.sha256(content).digest(),
        proof=b"",
    )
    entry = entry._replace(proof=notary.proof(whole.hash, entry))
    is_first = own.last == 0
    own = replace(own, last=entry.number, hash=entry.hash)
    whole = replace(whole, last=entry.position, hash=entry.proof, tenants=whole.tenants + is_first)
    return entry, own, whole


def still_has(opened: tuple[int, bytes], whole: End | None, proof: bytes | None) -> bool:
    """Whether the chain still has the entry at which an end was sealed. `whole` is the end of the chain now, `proof`
    that of the entry at the position; None if there is none."""
    position, sealed = opened
    whole = whole or End(tenant_id=WHOLE)
    if position > whole.last:
        return False
    if position < whole.first:  # it was removed in time: only of the last one that was it is known what it was
        return position < whole.first - 1 or whole.before == sealed
    return proof == sealed


# --- Checking ---------------------------------------------------------------------------------------------------------


class Fault(NamedTuple):
    """The first place at which a chain does not hold."""

    tenant_id: int
    number: int
    """The number of the tenant's entry that does not fit; for what the database has of its ends, the last one's."""
    reason: str
    """A sentence for people."""


class Verification:
    """Goes through the entries of a database in the order of their positions, and finds the first that does not fit."""

    def __init__(self, ends: Mapping[int, tuple[End, bytes]], notary: Notary | None) -> None:
        """`ends` are the ends that are kept, with their proofs. Without a notary, proofs are taken as they are."""
        self._notary = notary
        self._ends = {tenant_id: end for tenant_id, (end, _) in ends.items()}
        self._reached = {end.tenant_id: (end.first - 1, end.before) for end in self._ends.values()}
        """For each chain, the number and the hash (or the proof) of the last entry that was gone through."""
        self._oldest_at: int | None = None
        self._named: set[str] = set()
        """The ids of the API keys and members that entries are about."""
        self.entries = 0
        self.fault = self._fault_of_ends(ends)

    def _fault_of_ends(self, ends: Mapping[int, tuple[End, bytes]]) -> Fault | None:
        for end, proof in ends.values():
            if self._notary is not None and not hmac.compare_digest(proof, self._notary.proof_of_end(end)):
                return Fault(end.tenant_id, end.last, "What is kept of the chain's ends was altered.")
        whole = self._ends.get(WHOLE)
        if ends and (whole is None or whole.tenants != len(ends) - 1):
            return Fault(WHOLE, 0, "What is kept of a chain's ends is missing.")
        return None

    def see(self, entries: Iterable[AuditEntry]) -> None:
        """Go through further entries, up to the first that does not fit."""
        for entry in entries:
            if self.fault is not None:
                return
            if reason := self._misfit(entry):
                self.fault = Fault(entry.tenant_id, entry.number, reason)
                return
            self.entries += 1
            if self._oldest_at is None:
                self._oldest_at = entry.at
            self._reached[entry.tenant_id] = (entry.number, entry.hash)
            self._reached[WHOLE] = (entry.position, entry.proof)

    def finish(self) -> None:
        """Say that there are no further entries: all must have been there."""
        for tenant_id, end in sorted(self._ends.items(), reverse=True):  # the whole last: a tenant's says more
            if self.fault is None and self._reached[tenant_id] != (end.last, end.hash):
                reason = f"The newest entries are missing: the last one should be number {end.last}."
                self.fault = Fault(tenant_id, self._reached[tenant_id][0], reason)

    def see_access(self, rows: Iterable[tuple[str, int, int]]) -> None:
        """Say which API keys and members there are: the id, the tenant and the time at which it was made, of each. Each
        must have an entry, unless that was old enough to be removed."""
        whole = self._ends.get(WHOLE)
        was_pruned = whole is not None and whole.first > 1
        for identity, tenant_id, made_at in rows:
            is_old = was_pruned and (self._oldest_at is None or made_at < self._oldest_at + _LATER)
            if self.fault is None and identity not in self._named and not is_old:
                reason = (
                    f"No entry is about {identity}, which may come in: entries are missing, or it was not made here."
                )
                self.fault = Fault(tenant_id, 0, reason)

    def _misfit(self, entry: AuditEntry) -> str | None:
        if entry.tenant_id not in self._reached or WHOLE not in self._reached:
            return "Nothing is kept of the end of its chain."
        number, before = self._reached[entry.tenant_id]
        position, proof = self._reached[WHOLE]
        if entry.number != number + 1 or entry.position != position + 1:
            return "An entry before it is missing."
        if entry.hash != hashlib.sha256(entry.content).digest():
            return "Its content does not have its hash."
        kind = _kind_if_kept(entry, before)
        if kind is None:
            return "Its content is not that of the entry in this place."
        if self._notary is not None and not hmac.compare_digest(entry.proof, self._notary.proof(proof, entry)):
            return "Its proof was not made by this gateway."
        if kind in _COMES_IN:
            self._named.add(entry.object)
        return None


_COMES_IN: Final = frozenset({"key", "member"})
_LATER: Final = 24 * 3600 * SECOND
"""How far a row's time may be ahead of that of its entry, after a clock that was ahead."""


def _kind_if_kept(entry: AuditEntry, before: bytes) -> str | None:
    """The kind of the object of an entry, if the content agrees with the columns stored next to it."""
    try:
        said = json.loads(entry.content)
        agrees = (
            said["number"] == entry.number
            and said["at"] == format_timestamp(entry.at)
            and said["actor"]["id"] == entry.actor
            and said["object"]["id"] == entry.object
            and said["previous"] == before.hex()
        )
        return str(said["object"]["kind"]) if agrees else None
    except (ValueError, KeyError, TypeError):
        return None


def misfit_of_shown(entries: Iterable[Mapping[str, Any]], tell: Callable[[int, str], None]) -> int | None:
    """Check entries as the API shows them, oldest first, by their hashes. `tell` gets the number and the hash of each
    that fits. Returns the number of the first that does not."""
    before: tuple[int, str] | None = None
    for shown in entries:
        content = {name: value for name, value in shown.items() if name != "hash"}
        fits = shown["hash"] == hashlib.sha256(canonical(content)).hexdigest()
        if not fits or before not in (None, (shown["number"] - 1, shown["previous"])):
            return int(shown["number"])
        before = (shown["number"], shown["hash"])
        tell(*before)
    return None
