"""The sentences of the documentation that the model goes by. A test looks for each of them in its page."""

from typing import NamedTuple


class Saying(NamedTuple):
    rule: str
    """The model's name of the rule that follows from it."""
    page: str
    """The path below `docs/`."""
    text: str

    def __str__(self) -> str:
        return f'"{self.text}" ({self.page})'


_CONDITIONS = "guides/conditions-and-placeholders.md"
_WHY = "guides/why-not-delivered.md"
_ERASE = "guides/erase-and-restore.md"
_CONTRACT = "contract.md"
_DESTINATIONS = "destinations/README.md"
_SIGN_ALSO = "guides/sign-also.md"
_KINDS = "guides/write-a-destination.md"
_POLL = "guides/poll.md"
_OAUTH = "guides/oauth.md"
_CERTIFICATES = "guides/client-certificates.md"

TYPE = Saying("type", _WHY, "`eventTypes` must have included the event's type *when the event was made*.")
STARTS = Saying("starts", _WHY, "a subscription gets no events from before its creation.")
WHEN = Saying(
    "when", _CONDITIONS, "If an event does not meet it, its delivery is *skipped* and says why in a sentence."
)
CHANGE_WHEN = Saying("change when", _WHY, "change `when`, then retry it")
WAIT = Saying("wait", _CONDITIONS, "The wait counts from the event, and survives restarts.")
STILL = Saying("still", _CONDITIONS, "After the wait, `if` is checked against the document's **newest** event")
ERASED = Saying(
    "erased", _ERASE, "Deliveries of these events that are not sent yet, including that of the deletion, are skipped"
)
ERASED_FILES = Saying("erased files", _ERASE, "A search of the data directory for an erased text finds nothing.")
NOT_IN_LOG = Saying("not in log", _ERASE, "*The gateway's log* names ids, not contents.")
NOT_IN_AUDIT = Saying("not in audit", _ERASE, "but no secrets and nothing from documents.")
PAUSED = Saying("paused", _WHY, "| `paused`, `disabled` | the subscription sends nothing | resume it |")
SKIPPED = Saying(
    "skipped",
    _WHY,
    "After `resume --skip-backlog`, events that waited at that time are not sent, and neither is what was asked for"
    " before it",
)
LATEST = Saying("latest", _KINDS, "for calls that set values, not for messages")
PLACE = Saying("place", _CONDITIONS, "An event that `when` does not want takes no other's place.")
DELETED = Saying("deleted", "api.md", "Delete a subscription")
ORDER = Saying(
    "order", _CONTRACT, "At most one event of a document is in flight to a subscription, lowest sequence first;"
)
STRICT = Saying("strict", _CONTRACT, "With `strict` ordering nothing overtakes.")
EARLY = Saying("early", _CONTRACT, "A failed attempt is retried after 10 s, 60 s and 300 s, never earlier")
ONCE = Saying("once", _CONTRACT, "One HTTPS POST per event and matching subscription.")
AGAIN = Saying("again", _CONTRACT, "`signalpost-replay: true` marks what someone asked to have resent")
HEADERS = Saying("headers", _CONTRACT, "Additional headers go with every request.")
SIGNED = Saying("signed", _CONTRACT, "Every attempt, retries and replays included, is signed with the secrets in force")
SIGNED_ALSO = Saying("signed also", _SIGN_ALSO, "A change replaces the list as a whole.")
SIGNED_APART = Saying("signed apart", _SIGN_ALSO, "**[A shadow](shadow.md) has its own**")
DISCONNECTED = Saying("disconnected", _DESTINATIONS, "makes the connection forget its credentials")
UNCHANGED = Saying("unchanged", _WHY, "A change that alters no attribute")
READ_IN_ORDER = Saying("read in order", _POLL, "they are read, in order, and each is there until it is acknowledged.")
READ_ONCE = Saying("read once", _POLL, "settles what the `receipt` names, up to the sequence `through` or all of it.")
HELD = Saying("held", _POLL, "One of them is handed what is next, the others wait")
HANDED_AGAIN = Saying("handed again", _POLL, "What is not acknowledged within `lease` seconds is handed out again")
LEASE_OVER = Saying(
    "lease over", _POLL, "unless the events were handed out again: then it is refused (409 `lease_over`)"
)
WITH_TOKEN = Saying("with token", _OAUTH, "sends it with each request: `authorization: Bearer …`")
TOKEN_ELSEWHERE = Saying("token elsewhere", _OAUTH, "**It goes to the origin of the subscription alone.**")
TOKENS_ASKED = Saying("tokens asked", _OAUTH, "The retries of the delivery ask again, at most once a second;")
CERTIFICATE = Saying(
    "certificate", _CERTIFICATES, "To renew it, give another one: from then on, requests go over new connections."
)
CERTIFICATE_ELSEWHERE = Saying(
    "certificate elsewhere", _CERTIFICATES, "**It is offered to the origin of the subscription alone**"
)
NOT_SENT_AGAIN = Saying("not sent again", _POLL, "Nothing is sent, so there is no test, no retry and no replay:")
READERS_KEY = Saying("reader's key", _POLL, "A rotation of the secret replaces both")
