"""The kinds of destinations that this process knows: the built-in ones, and those that other distributions add.

A distribution adds a kind through the entry point group `signalpost.destinations`, whose entries are classes that
derive from `Destination`. A class that cannot be used is left out and logged, and everything else runs: it cannot be
imported, was written for another version of the interface, has a name that is taken, or has structs that make no check.
Subscriptions of a kind that is not there wait, and lose nothing.

Kinds are code that the operator installed, and run in the gateway's own process: what they raise is caught, what they
do is not prevented.
"""

import re
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from typing import Any, Final, TypeAlias

from signalpost.destinations.destination import API, Destination
from signalpost.destinations.google_calendar import GoogleCalendar
from signalpost.destinations.guarded import GuardedKind
from signalpost.destinations.http import Http
from signalpost.destinations.mail import Smtp
from signalpost.destinations.rulings import DAY
from signalpost.destinations.salesforce import Salesforce
from signalpost.destinations.slack import Slack
from signalpost.destinations.xero_bill import XeroBill
from signalpost.domain.body import Body, check_of
from signalpost.domain.checks import Bad, Several, pointer
from signalpost.domain.errors import FieldError, Invalid
from signalpost.domain.subscription import SIGNING
from signalpost.runtime.installed import entries_of
from signalpost.runtime.logger import log

GROUP: Final = "signalpost.destinations"
MAX_SECONDS: Final = 60
"""How long one call of a kind may take at most."""
BUILT_IN: Final[tuple[type[Destination[Any, Any]], ...]] = (
    Slack, Salesforce, GoogleCalendar, XeroBill, Smtp, Http
)  # fmt: skip
_NEEDS: Final = {"mail": "aiosmtplib"}
"""The packages without which a kind can send nothing. The extra that brings one has the kind's name."""

_LEFT_OUT: Final = "a kind of destination is left out"

AnyDestination: TypeAlias = Destination[Any, Any]

_is_name = re.compile(r"[a-z][a-z0-9_]{0,39}").fullmatch


class UnusableKind(Exception):
    """A kind cannot be used. The message says why."""


class Destinations:
    """The kinds by their names, and what a client may send for each."""

    def __init__(self, kinds: Iterable[AnyDestination], is_there: Callable[[str], object] = find_spec) -> None:
        """`is_there` says whether a package is installed."""
        self.kinds: Mapping[str, AnyDestination] = {kind.kind: kind for kind in kinds}
        self._lacking = {kind for kind, package in _NEEDS.items() if not is_there(package)}

    @classmethod
    def installed(cls, entries: Iterable[EntryPoint] | None = None) -> "Destinations":
        """The built-in kinds, and those of the given entry points: of all installed distributions by default."""
        found = {kind.kind: kind() for kind in BUILT_IN}
        for entry in entries_of(GROUP) if entries is None else sorted(entries, key=lambda each: each.name):
            try:
                kind = GuardedKind(usable(entry.load(), found))
            except UnusableKind as reason:
                log.error(_LEFT_OUT, entry=entry.name, value=entry.value, reason=str(reason))
            except (Exception, SystemExit):  # a module may even end the process
                log.exception(_LEFT_OUT, entry=entry.name, value=entry.value, reason="It failed.")
            else:
                found[kind.kind] = kind
        return cls(found.values())

    def kind(self, name: str) -> AnyDestination | None:
        """The kind of that name; None if it is not installed here, or is the webhook."""
        return self.kinds.get(name)

    def trouble(self, name: str) -> str | None:
        """A sentence why nothing can be sent to a kind that is installed here; None if something can."""
        if name not in self._lacking:
            return None
        return f"The kind {name} needs a package: pip install 'signalpost[{name}]', then start the gateway again."

    def longest_call(self, name: str) -> float:
        """How many seconds a call of a kind may take; of one that is not installed here, as long as any may."""
        kind = self.kinds.get(name)
        return MAX_SECONDS if kind is None else kind.seconds

    def read_connection(self, kind: str, config: Any) -> Body:
        """What a connection of a kind holds, from its JSON. Raises Invalid, with pointers below `/config`."""
        found = self._known(kind)
        with _naming(kind):
            return _struct(found.connection, config)

    def read_config(self, kind: str, config: Any, connection: Body) -> Body:
        """What a subscription of a kind says, from its JSON, together with what its connection holds. Raises Invalid,
        with pointers below `/config`."""
        found = self._known(kind)
        with _naming(kind):
            struct = _struct(found.config, config)
            found.check(connection, struct)
            return struct

    def _known(self, kind: str) -> AnyDestination:
        found = self.kinds.get(kind)
        if found is None:
            known = ", ".join(self.kinds)
            raise Invalid(
                [FieldError("/kind", "unknown_kind", f"No kind of this name is installed here. Known: {known}.")]
            )
        if (trouble := self.trouble(kind)) is not None:
            raise Invalid([FieldError("/kind", "package_missing", trouble)])
        return found


def usable(kind: Any, found: Mapping[str, AnyDestination]) -> AnyDestination:
    """The kind of a class, if it can be used together with those found before. Raises UnusableKind, or what its
    code raises."""
    if not (isinstance(kind, type) and issubclass(kind, Destination)):
        raise UnusableKind("It is no class that derives from Destination.")
    if kind.api != API:
        raise UnusableKind(f"It was written for version {kind.api} of the interface; this gateway has version {API}.")
    if lacking := [name for name in ("kind", "title", "connection", "config") if not hasattr(kind, name)]:
        raise UnusableKind(f"It has no {', no '.join(lacking)}.")
    if not _is_name(kind.kind):
        raise UnusableKind("Its name must be small letters, digits and underscores, and begin with a letter.")
    if kind.kind in found or kind.kind in SIGNING:
        raise UnusableKind(f"There is a kind named {kind.kind} already.")
    if fault := _fault_of_bounds(kind.rate, kind.at_once, kind.seconds):
        raise UnusableKind(fault)
    taken = {preset.name for other in found.values() for preset in other.presets}
    if doubles := sorted(preset.name for preset in kind.presets if preset.name in taken):
        raise UnusableKind(f"There is a preset named {doubles[0]} already.")
    for struct in (kind.connection, kind.config):
        if not issubclass(struct, Body):
            raise UnusableKind(f"{struct.__name__} does not derive from Body.")
        check_of(struct)
    return kind()


def _fault_of_bounds(rate: object, at_once: object, seconds: object) -> str | None:
    match rate:
        case (int(calls), int() | float() as window) if calls >= 1 and 0 < window <= DAY:
            pass
        case _:
            return "Its rate must be a number of calls and in how many seconds, such as (5, 1.0)."
    if not isinstance(at_once, int) or at_once < 1:
        return "How many deliveries it has at once must be a whole number from 1."
    if not isinstance(seconds, int | float) or not 0 < seconds <= MAX_SECONDS:
        return f"Its seconds must be a number up to {MAX_SECONDS}."
    return None


def _struct(kind: type[Body], value: Any) -> Body:
    struct: Body = check_of(kind)(value)
    return struct


@contextmanager
def _naming(kind: str) -> Generator[None, None, None]:
    """Raises what is wrong with a config as Invalid; also if the kind's own code fails on it."""
    try:
        yield
    except (Bad, Several) as bad:
        bads = bad.under("config")
        raise Invalid([FieldError(pointer(*each.below), each.code, each.detail) for each in bads]) from None
    except Exception:
        log.exception("a kind of destination failed", kind=kind, method="check")
        detail = f"The destination {kind} failed to check this; the gateway's log says why."
        raise Invalid([FieldError("/config", "destination_failed", detail)]) from None
