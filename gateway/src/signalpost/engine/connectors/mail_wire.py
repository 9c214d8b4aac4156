"""Mails as a mail server gets them: headers and text, in which a document's values cannot become anything else."""

import base64
import re
from collections.abc import Collection
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

from signalpost.destinations.calls import Mail
from signalpost.domain.checks import Bad
from signalpost.domain.endpoint import MAIL, parse_url
from signalpost.domain.fields import is_mail_address
from signalpost.domain.request import OutgoingMail
from signalpost.domain.timestamps import SECOND
from signalpost.engine.connectors.wire import Impossible

MAX_LINE_CHARACTERS: Final = 990
"""A server need not take lines of 1,000 (RFC 5321, 4.5.3.1.6)."""
ENCODED_CHARACTERS: Final = 11
"""How many characters, of four bytes each, fit into an encoded word."""
_ENDS_OF_LINES: Final = re.compile("\r\n|[\r\n\x0b\x0c\x85\u2028\u2029]")
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_UNSEEN: Final = re.compile(
    r"[\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064"
    r"\u2066-\u206f\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]"
)
"""Unicode's format characters (Cf), with which a name can be made to read as another one, but the two joiners that
scripts are written with."""
_is_key = re.compile("[0-9A-Za-z._-]{1,128}").fullmatch
_is_url = re.compile(r"https?://[!-;=?-~]{1,900}").fullmatch
"""One that fits between angle brackets on a line."""


def mail_request_of(mail: Mail, origins: Collection[str], seconds: float, tenant_id: int, now: int) -> OutgoingMail:
    """A mail that is handed over within so many seconds; `now` is its date, in µs. Raises Impossible if it goes to none
    of the origins, or cannot be written."""
    try:
        server = parse_url(mail.url, MAIL)
    except Bad as bad:
        raise Impossible(f"The mail's server cannot be used. {bad.detail}") from None
    if server.origin not in origins:
        raise Impossible(f"The mail goes to {server.origin}, which is none of the connection's origins.")
    if not all(map(is_mail_address, (mail.sender, *mail.to))) or not _is_key(mail.key):
        raise Impossible("The mail has an address that is none, or a key with which no id can be made.")
    if mail.unsubscribe and not _is_url(mail.unsubscribe):
        raise Impossible("The mail has something else than a URL to unsubscribe at.")
    return OutgoingMail(
        target=server.target,
        login=mail.login,
        sender=mail.sender,
        recipients=tuple(mail.to),
        message=written_mail(mail, now) if mail.to else b"",
        seconds=seconds,
        holder=tenant_id,
    )


def _headers(mail: Mail) -> dict[str, str]:
    name = _on_one_line(mail.sender_name)
    headers = {
        "From": f"{_phrase(name)} <{mail.sender}>" if name else mail.sender,
        "To": ",\r\n ".join(mail.to),
        "Subject": _encoded(_on_one_line(mail.subject)),
        "Message-ID": f"<{mail.key}@{mail.sender.rpartition('@')[2]}>",
        "Auto-Submitted": "auto-generated",
    }
    if mail.unsubscribe:
        headers["List-Unsubscribe"] = f"<{mail.unsubscribe}>"
        if mail.unsubscribe.startswith("https:"):  # mailboxes offer their button for nothing else (RFC 8058)
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers


def written_mail(mail: Mail, now: int) -> bytes:
    """The bytes of a mail, all of them ASCII, so that any server can take them."""
    encoding, text = _written_text(_UNSEEN.sub("", _CONTROLS.sub("", _ENDS_OF_LINES.sub("\n", mail.text))))
    headers = {
        **_headers(mail),
        "Date": format_datetime(datetime.fromtimestamp(now // SECOND, UTC)),
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Transfer-Encoding": encoding,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{head}\r\n".encode("ascii") + text


def _written_text(text: str) -> tuple[str, bytes]:
    """A text and how it is encoded (RFC 2045)."""
    if text.isascii() and all(len(line) <= MAX_LINE_CHARACTERS for line in text.split("\n")):
        return "7bit", text.replace("\n", "\r\n").encode() + b"\r\n"
    content = text.replace("\n", "\r\n").encode()
    return "base64", base64.encodebytes(content).replace(b"\n", b"\r\n")


def _phrase(name: str) -> str:
    """A name before an address."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if _is_plain(name) else _encoded(name)


def _encoded(line: str) -> str:
    """A line as a header can carry it: as it is, or in words of base64, none of which is too long (RFC 2047)."""
    if _is_plain(line):
        return line
    words = (line[at : at + ENCODED_CHARACTERS] for at in range(0, len(line), ENCODED_CHARACTERS))
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(word.encode()).decode()}?=" for word in words)


def _is_plain(line: str) -> bool:
    return line.isascii() and "=?" not in line and len(line) <= MAX_LINE_CHARACTERS // 2


def _on_one_line(text: str) -> str:
    return " ".join(_CONTROLS.sub(" ", _ENDS_OF_LINES.sub(" ", _UNSEEN.sub("", text))).split())
