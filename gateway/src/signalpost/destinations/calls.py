"""What an event becomes for a vendor, a call, a mail or nothing, and what the vendor replies to a call."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

MAX_REPLY_BYTES: Final = 64 * 1024
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Call(Struct, frozen=True, kw_only=True):
    """One request to a vendor. The engine adds the authorisation, the length and its own user agent."""

    url: str
    """The address; its origin must be one of the connection's `origins`."""
    method: Method = "POST"
    json: Any | UnsetType = UNSET
    """The body, as a value that becomes JSON; without it there is none."""
    form: Mapping[str, str] | UnsetType = UNSET
    """The body, as fields of a form."""
    headers: Mapping[str, str] = {}
    authorised: bool = True
    """Whether it carries what `access` says."""

    def __repr__(self) -> str:
        """Shows where it goes and no more: addresses and headers of some vendors are secret."""
        return f"Call({self.method} {'/'.join(self.url.split('/', 3)[:3])}/…)"


class Mail(Struct, frozen=True, kw_only=True):
    """One mail, which the engine hands to a mail server under TLS. It adds the date, and an id made of `key`."""

    url: str
    """The mail server: `smtps://HOST:PORT` if TLS is there from the start, `smtp://HOST:PORT` for STARTTLS. It must be
    one of the connection's `origins`."""
    login: tuple[str, str] | None = None
    """User name and password, if the server wants any."""
    sender: str
    """The address that the mail comes from."""
    sender_name: str = ""
    to: Sequence[str]
    """The addresses that get it. A probe names none, and sends nothing."""
    subject: str
    text: str
    """Plain text; the ends of its lines may be of any kind."""
    key: str
    """The same on each attempt, such as `Context.key`: the mail's id is made of it, by which a repeat can be told."""
    unsubscribe: str = ""
    """The URL at which its recipient has no more such mails sent (RFC 2369, RFC 8058); without it there is none."""

    def __repr__(self) -> str:
        """Shows where it goes and no more."""
        return f"Mail({self.url}, …)"


class Skip(Struct, frozen=True):
    """There is nothing to send for this event, which settles the delivery."""

    why: str
    """A sentence for people, which is shown with the delivery."""


class Reply(Struct, frozen=True, kw_only=True):
    """What a vendor answered."""

    status: int
    headers: Mapping[str, str] = {}
    """The headers by names in lower case; of one that came twice, the last."""
    body: bytes = b""
    """The first `MAX_REPLY_BYTES`."""

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def json(self) -> Any:
        """The body as JSON, or {} if it is none."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}

    def at(self, *path: str | int) -> Any:
        """The value at a path of names and indexes in the JSON body, or None if there is none."""
        value = self.json
        for step in path:
            if isinstance(value, dict) and isinstance(step, str):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
                value = value[step]
            else:
                return None
        return value
