"""The command `signalpost listen`."""

import asyncio
import contextlib
import os
import re
import secrets
import signal
import sys
import termios
import tty
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from signalpost.cli.client import Client, Misuse, NoGateway, connect
from signalpost.cli.commands.events import Document, Type, end_of_log
from signalpost.cli.commands.listen.feed import EventFeed, FeedEntry
from signalpost.cli.commands.listen.forwarder import EventDisplay, Forwarder, chance
from signalpost.cli.commands.listen.screen import HELP, JsonScreen, Screen
from signalpost.cli.terminal.given_secret import GivenSecret, the_secret
from signalpost.cli.terminal.options import Sets, flag
from signalpost.cli.terminal.output import TEXT, Output
from signalpost.cli.terminal.plain import say
from signalpost.cli.terminal.text import remark, remarks
from signalpost.domain.checks import Bad
from signalpost.domain.errors import StartError
from signalpost.local.chaos import Chaos, ChaosFault, PlannedRequest
from signalpost.local.poster import Poster
from signalpost.local.user_folder import made_folder, user_folder
from signalpost.runtime import key_file
from signalpost_receiver import make_token

_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)
FILE = "listen-secret"
MAX_READ = 64
"""Keys that are read from the terminal at once, at most."""


def listen(
    *,
    forward_to: Annotated[
        str | None, Parameter(help="Where to send events: a URL, or a port of this machine. Only shown if left out.")
    ] = None,
    secret: GivenSecret = None,
    print_secret: Annotated[bool, flag("Print the secret that requests are signed with; exit.")] = False,
    event_type: Type = None,
    document: Document = None,
    after: Annotated[
        int | None, Parameter(help="Begin after this sequence; by default with future events."), Sets("?after")
    ] = None,
    chaos: Annotated[
        str | None, Parameter(help=f"Faults to cause, separated by commas: {', '.join(ChaosFault)}; or all.")
    ] = None,
    allow_external: Annotated[bool, flag("Allow forwarding to other machines.")] = False,
    format_: Annotated[Literal["text", "json"], Parameter(name="--format", help="For people, or for scripts.")] = (
        "text"
    ),
    out: Output = TEXT,
) -> None:
    chosen = listen_secret() if secret is None else the_secret(secret)
    if print_secret:
        say(chosen)
        return
    url = None if forward_to is None else read_url(forward_to)
    screen = JsonScreen(url) if out.as_json or format_ == "json" else Screen(url)
    run = Run(screen, url, chosen, read_troubles(chaos), external=allow_external)
    with contextlib.suppress(asyncio.CancelledError):  # it was told to end, by a key or by SIGTERM
        asyncio.run(run.until_told(event_type, document, after))


class Run:
    """One run of the command."""

    def __init__(
        self, screen: Screen, url: str | None, secret: str, troubles: Sequence[ChaosFault], *, external: bool
    ) -> None:
        self._screen = screen
        self._url = url
        self._secret = secret
        self._troubles = troubles
        self._external = external
        self._resending: set[asyncio.Task[None]] = set()

    async def until_told(self, event_type: str | None, document: str | None, after: int | None) -> None:
        """Follow and forward until the process is told to end."""
        following = asyncio.current_task()
        assert following is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, following.cancel)
        async with _gateway() as client, self._forwarder() as forwarder:
            begin = await asyncio.to_thread(end_of_log, client) if after is None else after
            feed = EventFeed(client, begin, self._screen, event_type, document)
            with keys(self._handlers(forwarder, following.cancel)) as has_keys:
                self._greet(client, has_keys=has_keys)
                try:
                    async for entry in feed.entries():
                        await forwarder.forward(entry)
                finally:
                    remark(f"(Continue with --after {feed.after}.)")

    @asynccontextmanager
    async def _forwarder(self) -> AsyncIterator[Forwarder | EventDisplay]:
        if self._url is None:
            yield EventDisplay(self._screen.sending)
            return
        async with Poster(external=self._external) as poster:
            try:
                await poster.check(self._url)
            except Bad as bad:
                raise Misuse(f"--forward-to: {bad}") from None
            chaos: Chaos[FeedEntry] = Chaos(self._troubles, chance)
            screen = self._screen
            forwarder = Forwarder(poster, self._url, self._secret, chaos, screen.sending, screen.sent, screen.dropped)
            try:
                yield forwarder
            finally:
                await forwarder.close()

    def _handlers(
        self, forwarder: Forwarder | EventDisplay, end: Callable[[], object]
    ) -> dict[str, Callable[[], object]]:
        def resend() -> None:
            chosen = self._screen.chosen()
            if chosen is not None:
                again = PlannedRequest(chosen.planned.entry, chosen.planned.signing, note="resent by hand")
                task = asyncio.create_task(forwarder.send(again))
                self._resending.add(task)
                task.add_done_callback(self._resending.discard)

        return {
            "r": resend,
            "d": self._screen.details,
            "k": lambda: self._screen.choose(1),
            "j": lambda: self._screen.choose(-1),
            "q": end,
        }

    def _greet(self, client: Client, *, has_keys: bool) -> None:
        aim = "" if self._url is None else f", and forwards them to {self._url}"
        remarks.print(f"Follows the events of {client.url}{aim}", markup=False)
        if self._url is not None:
            remarks.print("The receiver's secret: signalpost listen --print-secret", markup=False)
        if has_keys:
            remark(HELP)


@asynccontextmanager
async def _gateway() -> AsyncIterator[Client]:
    """A client of the gateway that commands find, or else of an emulator that lives as long as this command."""
    try:
        client = await asyncio.to_thread(connect)
    except NoGateway:
        from signalpost.cli.commands.emulator import serving  # takes as long to import as everything else together
        from signalpost.cli.serving.logs import set_up_logs

        set_up_logs("error", "auto")
        async with serving("127.0.0.1", 0, external=False) as emulator:
            remarks.print(f"No gateway runs here, so an emulator was started at {emulator.url}", markup=False)
            yield Client(emulator.url, emulator.key, None)
        return
    yield client


def read_url(text: str) -> str:
    """The URL that was meant: `9000` and `localhost:9000/hooks` are short forms."""
    if _PORT.fullmatch(text):
        return f"http://127.0.0.1:{text}/"
    return text if "://" in text else f"http://{text}"


def read_troubles(text: str | None) -> list[ChaosFault]:
    """What `--chaos` asks for. Raises Misuse."""
    if text is None:
        return []
    if text == "all":
        return list(ChaosFault)
    try:
        return [ChaosFault(part.strip()) for part in text.split(",")]
    except ValueError:
        raise Misuse(f"--chaos takes {', '.join(ChaosFault)}, separated by commas, or all; not {text}") from None


def listen_secret() -> str:
    """The secret that `listen` signs with if none is given: made by the first use, and the same ever after.
    Raises StartError."""
    file = user_folder() / FILE
    try:
        made_folder(file.parent)
        if not file.exists():
            key_file.write(file, make_token(secrets.token_bytes))
        return key_file.read(file)
    except (OSError, UnicodeDecodeError, key_file.NotPrivate) as error:
        raise StartError(f"The secret of listen cannot be kept in {file}: {error}. Give one with --secret.") from None


@contextmanager
def keys(handlers: Mapping[str, Any]) -> Iterator[bool]:
    """Call the handler of each key that is pressed, without Enter and without an echo, from the event loop, if standard
    input and output are a terminal.

    Yields whether they are. The terminal is put back as it was."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield False
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    loop = asyncio.get_running_loop()

    def pressed() -> None:
        for key in os.read(terminal, MAX_READ).decode("utf-8", "ignore"):
            if key in handlers:
                handlers[key]()

    tty.setcbreak(terminal)
    loop.add_reader(terminal, pressed)
    try:
        yield True
    finally:
        loop.remove_reader(terminal)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
