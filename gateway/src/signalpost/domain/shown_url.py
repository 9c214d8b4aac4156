"""What is shown of an endpoint's URL. The URL may be a credential: everybody who has the URL of an incoming webhook can
post.

The host and the path are shown, since an operator knows an endpoint by them, and so are the names of the query's
parameters. Their values are struck out, and so is what follows in a path if the host is known to put its tokens there.
A client that sends back what it was shown means the URL that is there.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from signalpost.domain.checks import Bad
from signalpost.domain.endpoint import parse_url

STRUCK: Final = "***"
"""Stands for what is not shown."""

_SHOWN_SEGMENTS: Final[Mapping[str, int]] = {
    "api.telegram.org": 0,  # /bot<token>/sendMessage
    "discord.com": 3,  # /api/webhooks/<id>/<token>
    "discordapp.com": 3,
    "hooks.slack.com": 3,  # /services/<workspace>/<app>/<token>
    "hooks.slack-gov.com": 3,
    "hooks.zapier.com": 3,  # /hooks/catch/<account>/<token>
    "make.com": 0,  # hook.eu1.make.com/<token>
    "maker.ifttt.com": 4,  # /trigger/<event>/with/key/<token>
    "outlook.office.com": 1,  # /webhook/<token>/IncomingWebhook/<token>/<token>
    "webhook.office.com": 1,  # <organisation>.webhook.office.com/webhookb2/…
}
"""Hosts whose paths have tokens, those below them too, and how many segments come before."""


def hidden_parts(url: str) -> list[str]:
    """What of the URL is not shown."""
    return [piece.text for piece in _pieces(url) if piece.is_struck]


class _Piece(NamedTuple):
    text: str
    is_struck: bool = False


def is_url(text: str) -> bool:
    return text.startswith(("https://", "http://"))


def shown_url(url: str) -> str:
    """The URL with what may be a credential struck out."""
    return "".join(STRUCK if piece.is_struck else piece.text for piece in _pieces(url))


def meant_url(given: str, present: str | None) -> str:
    """The URL that a client means, if there is one at present: that one, if it is given as it is shown.

    Raises Bad for another one with something struck out, to which nothing can be sent.
    """
    if present is not None and given == shown_url(present):
        return present
    if any(piece.is_struck and STRUCK in piece.text for piece in _pieces(given)):
        raise Bad(
            "struck_out",
            f"{STRUCK} stands for a part of a URL that is not shown, and this is not the present URL as it is shown. "
            "Give the whole URL, or leave it out to keep the present one. A *** of its own is written %2A%2A%2A.",
        )
    return given


def _pieces(url: str) -> Iterator[_Piece]:
    try:
        host = parse_url(url).target.host
    except Bad:  # it was taken by other rules
        yield _Piece(url, is_struck=True)
        return
    address, question_mark, query = url.partition("?")
    scheme, separator, rest = address.partition("://")
    authority, *segments = rest.split("/")
    shown = _shown_segments(host, len(segments))
    yield _Piece(scheme + separator + "/".join((authority, *segments[:shown])))
    for segment in segments[shown:]:
        yield _Piece("/")
        yield _Piece(segment, is_struck=segment != "")
    if not question_mark:
        return
    yield _Piece(question_mark)
    for position, parameter in enumerate(query.split("&")):
        yield _Piece("&" if position else "")
        name, equals, value = parameter.partition("=")
        if value.strip("="):
            yield _Piece(f"{name}{equals}")
            yield _Piece(value, is_struck=True)
        else:  # without a value it may be a token itself; base64 ends with =
            yield _Piece(parameter, is_struck=parameter != "")


def _shown_segments(host: str, count: int) -> int:
    """How many of `count` segments of a path are shown."""
    labels = host.split(".")
    names = (".".join(labels[start:]) for start in range(len(labels)))
    return next((_SHOWN_SEGMENTS[name] for name in names if name in _SHOWN_SEGMENTS), count)
