"""The configuration: one file of TOML for one source.

    [gateway]
    url = "https://gateway.example.com"
    key = { file = "/etc/signalpost/connect.key" }

    [source]
    kind = "outbox"
    database = { env = "OUTBOX_DATABASE_URL" }

    [mapping]                # only if the messages are no lines of an import
    externalId = "{{ body.contract.id }}"

    [watch]
    port = 9466              # /metrics and /health, on 127.0.0.1

What is wrong is a `BadConfig` that names the member, and never quotes a value: it may be a secret in the wrong place.
"""

import os
import re
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from signalpost_connect.mapping import LineMaker
from signalpost_connect.placeholders import BadTemplate

T = TypeVar("T")
COMMAND_SECONDS: Final = 10.0
"""How long a command that prints a secret may take."""


class BadConfig(ValueError):
    """A configuration cannot be used. The message names the member."""


class Secret(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a secret is: `{ file = "…" }`, `{ env = "…" }`, or `{ command = ["…"] }`, which prints it. It is never in
    the configuration itself."""

    file: str | None = None
    env: str | None = None
    command: tuple[str, ...] | None = None
    """A program and its arguments, without a shell."""

    def read(self) -> str:
        """The secret. Raises ValueError, which says what is missing."""
        match self:
            case Secret(file=str(file), env=None, command=None):
                return _content_of(file)
            case Secret(file=None, env=str(env), command=None):
                return _variable(env)
            case Secret(file=None, env=None, command=(_, *_) as command):
                return _printed_by(command)
        raise ValueError('say one of { file = "…" }, { env = "…" } and { command = ["…"] }.')


def _content_of(file: str) -> str:
    try:
        found = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the file {file} cannot be read ({type(error).__name__}).") from None
    if not found:
        raise ValueError(f"the file {file} is empty.")
    return found


def _variable(name: str) -> str:
    found = os.environ.get(name, "")
    if not found:
        raise ValueError(f"the environment has no {name}.")
    return found


def _printed_by(command: tuple[str, ...]) -> str:
    name = command[0]  # arguments may be secrets
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=COMMAND_SECONDS)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise ValueError(f"the command {name} took longer than {COMMAND_SECONDS:g} seconds.") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"the command {name} cannot be run ({type(error).__name__}).") from None
    if done.returncode:
        raise ValueError(f"the command {name} ended with {done.returncode}.")
    try:
        found = done.stdout.decode().strip()
    except UnicodeDecodeError:
        raise ValueError(f"the command {name} printed what is no text.") from None
    if not found:
        raise ValueError(f"the command {name} printed nothing.")
    return found


def is_url(text: str, *schemes: str) -> bool:
    """Whether a text is a URL of one of these schemes. It is none if a `/` in its password is not written as `%2F`."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises ValueError
    except ValueError:
        return False
    return parts.scheme in schemes


class GatewayConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Which gateway is fed, and with which key."""

    url: str
    key: Secret
    tenant: str | None = None
    """For an operator's key; an app's key has one already."""


class WatchConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Where `/metrics` and `/health` are served."""

    port: Annotated[int, Meta(ge=1, le=65535)]


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    gateway: GatewayConfig
    source: dict[str, Any]
    """`kind`, perhaps `name`, and what the source wants besides."""
    mapping: dict[str, Any] | None = None
    version_offset: int = 0
    """Added to the source's own versions, if those begin anew."""
    watch: WatchConfig | None = None

    @property
    def source_name(self) -> str:
        """Under which name the gateway lists the source: if none is given, that of its kind. Raises BadConfig."""
        name = self.source.get("name", self.source.get("kind"))
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9._-]{1,63}", name):
            raise BadConfig("source.name: it has 1 to 63 letters, digits, dots, hyphens and underscores.")
        return name

    def line_maker(self) -> LineMaker:
        """What makes lines of messages. Raises BadConfig."""
        try:
            return LineMaker(self.mapping, self.version_offset)
        except BadTemplate as error:
            raise BadConfig(f"mapping.{error}") from None


class DrainConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file of a drain."""

    gateway: GatewayConfig
    sink: dict[str, Any]
    """`kind`, and what the sink wants besides."""
    after: Annotated[int, Meta(ge=0)] = 0
    """Events with a sequence up to this one are not written."""
    watch: WatchConfig | None = None


def read_config(path: Path) -> Config:
    """The configuration of a source, in a file. Raises BadConfig."""
    return _read(path, Config)


def read_drain_config(path: Path) -> DrainConfig:
    """The configuration of a drain, in a file. Raises BadConfig."""
    return _read(path, DrainConfig)


def _read(path: Path, kind: type[T]) -> T:
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"{path} cannot be read ({type(error).__name__}).") from None
    except tomllib.TOMLDecodeError as error:
        raise BadConfig(f"{path} is not TOML: {error}.") from None
    return convert(given, kind, "")


def convert(given: Mapping[str, Any], kind: type[T], below: str) -> T:
    """A table as what it has to be. `below` is the name of the table. Raises BadConfig."""
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        said, _, at = str(error).partition(" - at `$")
        place = ".".join(filter(None, [below, at.rstrip("`").lstrip(".")]))
        raise BadConfig(f"{place or 'the file'}: {said}.") from None


def secret(given: Secret, name: str) -> str:
    """The secret that a member refers to. Raises BadConfig."""
    try:
        return given.read()
    except ValueError as error:
        raise BadConfig(f"{name}: {error}") from None
