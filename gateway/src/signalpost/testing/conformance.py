"""What every kind of destination promises, as tests that its author inherits.

    class TestTeams(Conformance):
        kind = Teams
        connection = {"url": "https://example.com/workflow"}
        config = {"title": "{{ document.title }}"}
        accepted = reply(202)

pytest finds the class and runs each promise as a test; with `unittest.TestCase` as a further base, unittest does. A
gateway can run a kind that keeps all of them: for any input, it answers with a call that goes where its
connection says, or with a ruling. What its calls should contain, its author tests beside this, with `Rehearsal`.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import partial
from itertools import chain, islice
from typing import Any, ClassVar, Final

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from signalpost.destinations.access import Consent, Grant, Held, RequestToSign, Signer
from signalpost.destinations.calls import Call, Mail, Reply, Skip
from signalpost.destinations.destination import MAX_FOLLOW_UPS, Context, Destination
from signalpost.destinations.fields import secrets_in
from signalpost.destinations.members import origin_of
from signalpost.destinations.presets import Preset, body_of
from signalpost.destinations.registry import UnusableKind, usable
from signalpost.destinations.rulings import Done, Reject, Ruling, Then
from signalpost.domain.body import check_of
from signalpost.domain.checks import Bad, Several, pointer
from signalpost.domain.endpoint import parse_url
from signalpost.domain.errors import Invalid
from signalpost.domain.event import BY_WIRE
from signalpost.domain.language.condition_reader import read_condition
from signalpost.testing import samples
from signalpost.testing.described import members
from signalpost.testing.trial import Trial, expect, expect_sendable, shown
from signalpost.testing.watch import watched

MAX_SECONDS: Final = 0.010
"""How long an event with its replies may take. While a kind computes, the gateway does nothing else."""
RUNS: Final = 30
"""Number of runs: one of them is quick even on a busy machine, if the kind is."""
SHORTEST_SECRET: Final = 6
"""Characters. A shorter secret would be found in every other sentence."""
_HELD: Final = (Held(), Held(access_token="a", refresh_token="r", account={"id": "1"}))  # noqa: S106 - none of anybody's
_SOUNDS_SECRET: Final = ("token", "password", "passphrase", "secret", "apikey", "privatekey")
_STRANGE_VALUES: Final[tuple[Any, ...]] = (
    None, True, 0, -1e300, "", "x", "\x00", "\r\n", "{{", "{{ document.titel }}", "x" * 5_000, [], [None], {}, {"x": {}}
)  # fmt: skip

_STRANGE_ANSWERS: Final[tuple[Any, ...]] = (None, True, 7, -1, 1e300, "", "x", [], [None], {}, {"x": {}})


class Conformance:
    """The promises. Derive from this, and say which kind, with which connection, config and accepted reply."""

    kind: ClassVar[type[Destination[Any, Any]]]
    connection: ClassVar[Mapping[str, Any]]
    """What a connection holds, as JSON."""
    config: ClassVar[Mapping[str, Any]]
    """What a subscription says, as JSON, with placeholders where it takes them."""
    accepted: ClassVar[Reply | Sequence[Reply]]
    """What the vendor answers when all is well; several if one call leads to another."""
    refused: ClassVar[Sequence[Reply]] = ()
    """What else the vendor answers, as it documents it: refusals, its rate limit. Each is tried as it is, and with
    something strange in place of each value in it."""

    # --- What it says of itself ---------------------------------------------------------------------------------------

    def test_this_gateway_can_use_it(self) -> None:
        """The version of the interface, the name, and structs of which a check can be made."""
        try:
            usable(self.kind, {})
        except UnusableKind as reason:
            raise AssertionError(f"A gateway would leave this kind out. {reason}") from None
        except Exception as error:
            raise AssertionError(f"A gateway would leave this kind out, because of {shown(error)}.") from error

    def test_every_member_says_what_it_is(self) -> None:
        """Forms and the command line show title, description and examples. What they show as an example may be sent,
        except for a secret, whose example may stop in the middle. Lists of kinds show the docstring of the class."""
        for struct in (self.kind.connection, self.kind.config):
            for member in members(struct):
                lacking = [word for word in ("title", "description", "examples") if not member.schema.get(word)]
                expect(not lacking, f"{member.name} has no {', no '.join(lacking)}; use `Meta(…)` or `secret(…)`.")
                for example in () if member.is_secret else member.schema["examples"]:
                    _expect_taken(f"The example {shown(example)} of {member.name}", member.check, example)
                if (default := member.schema.get("default")) is not None:
                    _expect_taken(f"The default {shown(default)} of {member.name}", member.check, default)
        expect(self.kind.__doc__, f"The class {self.kind.__name__} has no docstring, which lists of kinds show.")

    def test_the_presets_are_subscriptions(self) -> None:
        """With the examples in its blanks, each is what may be sent, if perhaps to another connection than this one."""
        config: Any = self.kind.config
        for preset in self.kind.presets:
            body = _body_of(preset)
            types = body.get("eventTypes") or ["none"]
            expect(set(types) <= BY_WIRE.keys(), f"The preset {preset.name} wants events of the types {types}.")
            for condition in (body.get("when"), body.get("after", {}).get("if")):
                if condition is not None:
                    _expect_taken(f"A condition of the preset {preset.name}", read_condition, condition)
            _expect_taken(f"The config of the preset {preset.name}", check_of(config), body.get("config"))

    def test_bad_input_is_refused_by_its_pointer(self) -> None:
        """Every value of a member is refused by name, or taken, and then prepared."""
        given = {"connection": self.connection, "config": self.config}
        for part in given:
            for broken in _broken(given[part], _STRANGE_VALUES):
                try:
                    trial = Trial(self.kind, **{**given, part: broken})
                except Invalid as refused:
                    failed = any(error.code == "destination_failed" for error in refused.errors)
                    expect(not failed, f"`check` fails on the {part} {shown(broken)}; it may raise Bad or Several.")
                else:
                    for context in islice(samples.contexts(), 2):
                        trial.prepare(context)

    # --- Its calls ----------------------------------------------------------------------------------------------------

    def test_any_event_becomes_a_call_or_a_skip(self) -> None:
        """Each type of event, of documents that have everything, next to nothing, and texts that break things; the
        first event of the document, and one after what an accepted event had remembered."""
        trial = self._trial()
        made = [trial.prepare(context) for context in self._contexts(trial)]
        expect(any(isinstance(each, Call | Mail) for each in made), "No event at all becomes a call or a mail.")

    def test_calls_go_only_where_the_connection_says(self) -> None:
        """An origin is a scheme and a host; every call goes to one of them, and so does the question for a token."""
        trial = self._trial()
        origins: Any = trial.kind.origins(trial.connection)
        expect(isinstance(origins, tuple) and origins, "`origins` must return a tuple with at least one origin.")
        for origin in origins:
            expect(_origin(origin) == origin, f"{shown(origin)} is no origin, such as https://api.example.com.")
        for what, url in self._addresses(trial):
            expect(_origin(url) in origins, f"{what} goes to {_origin(url)}, which `origins` does not name.")

    def test_it_does_nothing_but_compute(self) -> None:
        """No socket and no file is opened, and nothing is started: what has to be done, the gateway does."""
        self._live(self._trial())  # what it imports late, it has from here on
        with watched() as deeds:
            try:
                self._live(self._trial())
            finally:
                expect(not deeds, f"It does more than compute: {', '.join(dict.fromkeys(deeds))}.")

    def test_it_changes_nothing_that_it_is_given(self) -> None:
        """Other subscriptions are given the same event."""
        trial = self._trial()
        for context in self._contexts(trial):
            before = deepcopy(context)
            call = trial.prepare(context)
            if isinstance(call, Call | Mail):
                made = deepcopy(call)
                trial.classify(context, call, self._replies[0])
                expect(call == made, "`classify` changes the call.")
            expect(context == before, "It changes the event, or what else the context holds.")

    def test_the_same_event_makes_the_same_call(self) -> None:
        """Nothing is remembered and no clock is read: so it is after other events, and after a restart."""
        trial = self._trial()
        contexts = list(self._contexts(trial))
        first = [trial.prepare(context) for context in contexts]
        again = [trial.prepare(context) for context in reversed(contexts)]
        restarted = [self._trial().prepare(context) for context in contexts]
        expect(first == again[::-1], "The same event makes another call after other events.")
        expect(first == restarted, "The same event makes another call in another instance of the kind.")

    def test_a_retry_makes_the_same_call(self) -> None:
        """A vendor that knows keys again can then tell that it has done already what it is asked."""
        trial = self._trial()
        first, *later = (trial.prepare(samples.context(attempt=attempt)) for attempt in (1, 2, 9))
        expect(all(each == first for each in later), "Another attempt at the same event makes another call.")

    def test_a_signature_is_headers(self) -> None:
        """If its calls are signed, they are whatever stands in them, and alike at the same time."""
        trial = self._trial()
        signer = trial.kind.access(trial.connection)
        for call in chain.from_iterable(self._played(trial, context) for context in self._contexts(trial)):
            if isinstance(signer, Signer) and isinstance(call, Call):
                first, again = (_signed(signer, call) for _ in range(2))
                expect(first == again, "The same request at the same time is signed in another way.")
                expect_sendable(replace(call, headers=first))

    # --- The vendor's answers -----------------------------------------------------------------------------------------

    def test_an_accepted_event_is_done(self) -> None:
        """The example event is sent and taken, within as many calls as an attempt has."""
        played = self._trial().play(samples.context(), *self._replies)
        expect(not isinstance(played.end, Skip), f"The example event is not sent: {getattr(played.end, 'why', '')}")
        expect(not isinstance(played.end, Then), "A further call is made; `accepted` needs a reply for each.")
        expect(isinstance(played.end, Done), f"The accepted reply comes to {shown(played.end)}.")
        expect(len(played.calls) <= 1 + MAX_FOLLOW_UPS, f"More than {MAX_FOLLOW_UPS} calls follow the first.")

    def test_any_answer_becomes_a_ruling(self) -> None:
        """Error pages, half an answer, JSON of another form: none raises, and a server that failed did nothing."""
        for reply, ruling in self._rulings(self._trial()):
            if isinstance(ruling, Done) and reply.status >= 500:
                raise AssertionError(f"{shown(reply)} comes to Done, although the server failed.")

    def test_any_answer_about_the_account_is_understood(self) -> None:
        """`probed` rules on it, and `discovered` keeps texts of it or says why the account will not do."""
        trial = self._trial()
        probe, discover = trial.kind.probe(trial.connection), trial.kind.discover(trial.connection)
        for call in (probe, discover):
            if call is not None:
                expect_sendable(call)
        for reply in samples.replies():
            if probe is not None:
                trial.probed(reply)
            if discover is not None:
                trial.discovered(reply)

    # --- Secrets and speed --------------------------------------------------------------------------------------------

    def test_no_secret_is_shown(self) -> None:
        """A repr, a sentence for people and what is remembered of a delivery have none, and a config holds none."""
        for member in members(self.kind.connection):
            forgotten = member.name.lower().endswith(_SOUNDS_SECRET) and not member.is_secret
            expect(not forgotten, f"{member.name} sounds like a secret; mark it with `secret(…)`.")
        for member in members(self.kind.config):
            expect(not member.is_secret, f"{member.name}: secrets belong to the connection.")
        trial = self._trial()
        secrets = [secret for secret in secrets_in(trial.connection) if len(secret) >= SHORTEST_SECRET]
        for what, text in self._seen_by_people(trial):
            expect(not any(secret in text for secret in secrets), f"{what} shows a secret of the connection.")

    def test_it_is_fast(self) -> None:
        """One quick run of many is enough: the others may have waited for a busy machine."""
        trial = self._trial()
        for context in self._contexts(trial):
            is_quick = any(_seconds(partial(self._played, trial), context) <= MAX_SECONDS for _ in range(RUNS))
            expect(is_quick, f"One event takes more than {MAX_SECONDS * 1000:.0f} ms in each of {RUNS} runs.")

    # --- What the promises look at ------------------------------------------------------------------------------------

    @property
    def _replies(self) -> Sequence[Reply]:
        """The accepted replies, in the order of their calls."""
        return (self.accepted,) if isinstance(self.accepted, Reply) else self.accepted

    def _trial(self) -> Trial:
        try:
            return Trial(self.kind, self.connection, self.config)
        except Invalid as refused:
            reasons = " ".join(f"{error.pointer} {error.detail}" for error in refused.errors)
            raise AssertionError(f"The example connection or config is refused: {reasons}") from None

    def _contexts(self, trial: Trial) -> Iterator[Context]:
        """Every sample event: as the first of its document and, if the kind remembers something, as a later one."""
        yield from samples.contexts()
        if made := self._made(trial):
            yield from (replace(context, made=made) for context in samples.contexts())

    def _made(self, trial: Trial) -> Mapping[str, str]:
        """What an accepted event has remembered for the document's next events."""
        end = trial.play(samples.context(), *self._replies).end
        return {} if not isinstance(end, Done) or end.made is UNSET else end.made

    def _played(self, trial: Trial, context: Context) -> tuple[Call | Mail, ...]:
        """The calls of an event all of whose calls are accepted."""
        return trial.play(context, *self._replies).calls

    def _rulings(self, trial: Trial) -> Iterator[tuple[Reply, Ruling]]:
        """Each strange reply to each of the calls for an event, with every ruling that results."""
        made = self._made(trial)
        for context in (samples.context(), samples.context("documentDeleted"), samples.context(made=made)):
            for call in self._played(trial, context):
                for reply in self._any_replies():
                    yield from ((reply, ruling) for ruling in trial.classify_to_the_end(context, call, reply))

    def _any_replies(self) -> Iterator[Reply]:
        """Strange replies, and the vendor's own, as they are and with something strange in them."""
        yield from samples.replies()
        for own in (*self._replies, *self.refused):
            yield own
            for broken in _broken(own.json, _STRANGE_ANSWERS):
                yield replace(own, body=msgspec.json.encode(broken))

    def _addresses(self, trial: Trial) -> Iterator[tuple[str, str]]:
        """Everything that the kind has called, with its address."""
        for context in self._contexts(trial):
            yield from (("A call", call.url) for call in self._played(trial, context))
        for _, ruling in self._rulings(trial):
            if isinstance(ruling, Then):
                yield "A further call", ruling.call.url
        for context in self._contexts(trial):
            yield from (("A foreseen call", call.url) for call in trial.foreseen(context))
        if (probe := trial.kind.probe(trial.connection)) is not None:
            yield "The probe", probe.url
        if (question := trial.kind.discover(trial.connection)) is not None:
            yield "`discover`", question.url
        for held in _HELD:
            yield from (("A revocation", each.call.url) for each in trial.kind.revocations(trial.connection, held))
        match trial.kind.access(trial.connection):
            case Grant(url=url) | Consent(token_url=url):
                yield "The question for a token", url

    def _live(self, trial: Trial) -> None:
        """Call every method as a gateway does."""
        for context in self._contexts(trial):
            self._played(trial, context)
        trial.kind.origins(trial.connection)
        trial.kind.access(trial.connection)
        if trial.kind.probe(trial.connection) is not None:
            trial.probed(self._replies[0])
        for held in _HELD:
            if trial.kind.revocations(trial.connection, held):
                trial.kind.revoked(trial.connection, self._replies[0])
        if trial.kind.discover(trial.connection) is not None:
            trial.discovered(self._replies[0])

    def _seen_by_people(self, trial: Trial) -> Iterator[tuple[str, str]]:
        """Each text that may be logged, listed or kept, with what it is."""
        yield "repr(connection)", repr(trial.connection)
        yield "repr(access)", repr(trial.kind.access(trial.connection))
        for context in self._contexts(trial):
            made = trial.prepare(context)
            if isinstance(made, Skip):
                yield "The reason of a Skip", made.why
            if isinstance(made, Reject):
                yield "The reason of a Reject", made.detail
        accepted = ((self._replies[-1], trial.play(context, *self._replies).end) for context in self._contexts(trial))
        for _, ruling in chain(self._rulings(trial), accepted):
            if not isinstance(ruling, Then | Mail):
                yield f"A {type(ruling).__name__}", repr(ruling)


def _signed(signer: Signer, call: Call) -> Mapping[str, str]:
    """What signs a call."""
    url = parse_url(call.url)
    body = b"" if call.json is UNSET else msgspec.json.encode(call.json)
    return signer.sign(
        RequestToSign(call.method, url.path, {"host": url.authority, **call.headers}, body), 1_800_000_000
    )


def _expect_taken(what: str, take: Callable[[Any], object], value: Any) -> None:
    try:
        take(value)
    except (Bad, Several) as refused:
        bads = refused.bads if isinstance(refused, Several) else [refused]
        reasons = " ".join(f"{pointer(*bad.below)} {bad.detail}" for bad in bads)
        raise AssertionError(f"{what} is refused: {reasons.strip()}") from None


def _body_of(preset: Preset) -> dict[str, Any]:
    """The subscription that a preset makes of the examples of its blanks."""
    try:
        return body_of(preset, {blank.name: blank.example for blank in preset.inputs})
    except (LookupError, TypeError, ValueError):
        places = ", ".join(blank.pointer for blank in preset.inputs)
        raise AssertionError(f"The body of the preset {preset.name} has no room for a value at {places}.") from None


def _broken(given: Any, strange: Sequence[Any]) -> Iterator[Any]:
    """JSON with something strange in place of one value in it."""
    items = given.items() if isinstance(given, Mapping) else enumerate(given) if isinstance(given, list) else ()
    for key, value in items:
        for other in (*strange, *_broken(value, strange)):
            if isinstance(given, Mapping):
                yield {**given, key: other}
            else:
                yield [*given[:key], other, *given[key + 1 :]]


def _origin(url: object) -> str:
    """The origin of an address, or the address if it has none."""
    try:
        return origin_of(url) if isinstance(url, str) else repr(url)
    except Bad:
        return repr(url)


def _seconds(run: Callable[[Context], object], context: Context) -> float:
    began = time.perf_counter()
    run(context)
    return time.perf_counter() - began
