"""The table of causes: the symptoms of a failing endpoint, and what they mean.

`diagnosis.py` reads it from the top, and the first rule that matches gives the cause. So a rule that asks for more
stands above a less specific one for the same failure."""

import re
from enum import StrEnum
from typing import Final, Literal, NamedTuple

from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.delivery.sentence_openings import SentenceOpening

Change = Literal["secret", "url", "headers"]
"""The part of a subscription that a person changed, after which its endpoint may refuse deliveries."""


class Remedy(StrEnum):
    """What helps most: a closed list. Each value is shown as it is in the API."""

    CHECK_SECRET = "check_secret"  # noqa: S105 - a name
    CHANGE_URL = "change_url"
    CHANGE_HEADERS = "change_headers"
    LIMIT_RATE = "limit_rate"
    TELL_CUSTOMER = "tell_customer"
    RECONNECT = "reconnect"
    ASK_OPERATOR = "ask_operator"
    WAIT = "wait"


class CauseRule(NamedTuple):
    """One line of the table: the symptoms, and what they mean. A symptom that is None always matches."""

    cause: str
    failure: Failure
    title: str
    us: str
    customer: str
    remedy: Remedy
    statuses: frozenset[int] | None = None
    answer: re.Pattern[str] | None = None
    """Words of the answer."""
    opening: SentenceOpening | None = None
    """How the sentence begins that was noted with the attempt."""
    change: Change | None = None
    """What was changed since the endpoint last accepted something."""


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_SIGNATURE: Final = _words(r"signature|hmac|\bsigned\b|\bsigning\b|webhook.?secret")
_FIREWALL: Final = _words(
    r"cloudflare|akamai|incapsula|imperva|\bwaf\b|captcha|attention required|forbidden by|firewall"
)
_REFUSED: Final = frozenset({400, 401, 403})
_CREDENTIALS: Final = frozenset({401, 403, 407})
_OTHERS: Final = frozenset(range(400, 500))

EASED_BY_LIMIT: Final = frozenset({"overrun", "slow_behind", "answer_unfinished", "too_slow"})
"""Causes in which the endpoint may get more than it can take, so that fewer requests a second may help."""

_STATUS = Failure.STATUS
RULES: Final[tuple[CauseRule, ...]] = (
    # --- Answers that refuse ------------------------------------------------------------------------------------------
    CauseRule(
        "mail_put_off", _STATUS, "The mail server does not take the mail for now",
        "It answers {status}, which is temporary: a full mailbox, a check of new senders, or too much mail at once.",
        "Please check whether your mailbox is full.",
        Remedy.WAIT, opening=SentenceOpening.MAIL_REFUSED,
    ),
    CauseRule(
        "old_secret", _STATUS, "The endpoint does not accept our signature since the secret was changed",
        "The secret was changed at {changed}, and nothing was accepted since. They most likely still verify with the "
        "old one.",
        "Your signing secret was changed at {changed}. Please verify with the new one.",
        Remedy.CHECK_SECRET, _REFUSED, _SIGNATURE, change="secret",
    ),
    CauseRule(
        "signature_refused", _STATUS, "The endpoint does not accept our signature",
        "Its answer is about the signature. They may verify with another secret, or not verify the exact bytes that "
        "we sent.",
        "Please verify the exact bytes of the body with the current signing secret of this subscription.",
        Remedy.CHECK_SECRET, _REFUSED, _SIGNATURE,
    ),
    CauseRule(
        "headers_changed", _STATUS, "The endpoint refuses our credentials since the headers were changed",
        "The additional headers were changed at {changed}, and nothing was accepted since.",
        "The additional headers of our requests were changed at {changed}. Please check which credentials you expect.",
        Remedy.CHANGE_HEADERS, _CREDENTIALS, change="headers",
    ),
    CauseRule(
        "old_secret", _STATUS, "The endpoint refuses us since the secret was changed",
        "The secret was changed at {changed}, and nothing was accepted since. They most likely still verify with the "
        "old one.",
        "Your signing secret was changed at {changed}. Please verify with the new one.",
        Remedy.CHECK_SECRET, _CREDENTIALS, change="secret",
    ),
    CauseRule(
        "firewall", _STATUS, "A firewall in front of the endpoint blocks us",
        "The answer looks like one of a firewall, not of the application behind it.",
        "Please let our requests through your firewall or bot protection.",
        Remedy.TELL_CUSTOMER, frozenset({403, 406, 429, 503}), _FIREWALL,
    ),
    CauseRule(
        "credentials_refused", _STATUS, "The endpoint refuses our credentials",
        "It expects credentials that it does not get: a header, or a signature that it accepts.",
        "Please check which credentials it expects, and whether it verifies with the current signing secret.",
        Remedy.CHANGE_HEADERS, _CREDENTIALS,
    ),
    CauseRule(
        "url_changed", _STATUS, "There is nothing at the new URL",
        "The URL was changed at {changed}, and nothing was accepted since. It may be mistyped.",
        "The URL was changed at {changed}. Please check that it is the right one.",
        Remedy.CHANGE_URL, frozenset({404, 405, 410}), change="url",
    ),
    CauseRule(
        "gone", _STATUS, "The endpoint says that it is gone for good",
        "410 means that it will not come back. Ask for a new URL, or delete the subscription.",
        "Please give us the URL that replaces it, or tell us to stop.",
        Remedy.CHANGE_URL, frozenset({410}),
    ),
    CauseRule(
        "wrong_path", _STATUS, "There is nothing at this URL",
        "The host answers, but has nothing at this path. The route may have been renamed or not deployed.",
        "Please check that the path of the URL is served.",
        Remedy.CHANGE_URL, frozenset({404}),
    ),
    CauseRule(
        "method_refused", _STATUS, "The URL does not accept POST requests",
        "The host knows the path, but accepts no POST there. It is most likely the URL of a web page.",
        "Please accept POST requests there, or give us the URL that does.",
        Remedy.CHANGE_URL, frozenset({405, 501}),
    ),
    CauseRule(
        "too_large", _STATUS, "The endpoint refuses our requests as too large",
        "The event is larger than it accepts. Events have at most 1 MiB.",
        "Please accept bodies of up to 1 MiB.",
        Remedy.TELL_CUSTOMER, frozenset({413}),
    ),
    CauseRule(
        "content_type_refused", _STATUS, "The endpoint does not accept JSON",
        "It refuses the content type application/json, or will only answer with another one.",
        "Please accept the content type application/json.",
        Remedy.TELL_CUSTOMER, frozenset({406, 415}),
    ),
    CauseRule(
        "overrun", _STATUS, "The endpoint gets more requests than it accepts",
        "A rate limit on the subscription spreads the requests out.",
        "Please raise your limit for us, or tell us how many requests a second you accept.",
        Remedy.LIMIT_RATE, frozenset({429}),
    ),
    CauseRule(
        "event_refused", _STATUS, "The endpoint does not understand the event",
        "It rejects the request as invalid. Its code may not know this type of event, or a value in it.",
        "Please check how your code reads the event, and see the answer that it gave.",
        Remedy.TELL_CUSTOMER, frozenset({400, 409, 422}),
    ),
    CauseRule(
        "slow_behind", _STATUS, "The application behind the endpoint's proxy is too slow or down",
        "A proxy answers instead of the application, which did not answer the proxy in time.",
        "Please check that the application behind your load balancer is up and answers in time.",
        Remedy.TELL_CUSTOMER, frozenset({408, 502, 504}),
    ),
    CauseRule(
        "unavailable", _STATUS, "The endpoint says that it is unavailable",
        "503 is usually temporary: maintenance, a deployment, or too much load.",
        "Please check whether it is in maintenance or overloaded.",
        Remedy.WAIT, frozenset({503}),
    ),
    CauseRule(
        "refused", _STATUS, "The endpoint refuses the request",
        "It answers {status}, which means that the request is wrong.",
        "Please check why it refuses the request, and see the answer that it gave.",
        Remedy.TELL_CUSTOMER, _OTHERS,
    ),
    CauseRule(
        "endpoint_error", _STATUS, "The endpoint failed with an error",
        "It answers {status}: an error in its own code or in what it depends on.",
        "Please look for this error in your log.",
        Remedy.TELL_CUSTOMER,
    ),
    CauseRule(
        "url_changed", Failure.REDIRECT, "The new URL answers with a redirect",
        "The URL was changed at {changed}. Redirects are not followed, so that nobody can send events elsewhere.",
        "Please give us the URL to which it redirects. We do not follow redirects.",
        Remedy.CHANGE_URL, change="url",
    ),
    CauseRule(
        "redirect", Failure.REDIRECT, "The endpoint answers with a redirect",
        "Redirects are not followed, so that nobody can send events elsewhere. The URL may lack www, https or a slash, "
        "or it leads to a sign-in page.",
        "Please give us the URL to which it redirects. We do not follow redirects.",
        Remedy.CHANGE_URL,
    ),
    # --- Names and addresses ------------------------------------------------------------------------------------------
    CauseRule(
        "url_changed", Failure.DNS, "The host of the new URL does not exist",
        "The URL was changed at {changed}. Its host has no address, so it may be mistyped.",
        "The URL was changed at {changed}. Please check its host name.",
        Remedy.CHANGE_URL, change="url",
    ),
    CauseRule(
        "no_address", Failure.DNS, "The host name has no address",
        "The name no longer exists, or its DNS records were removed.",
        "Please check the DNS records of the host, or give us another URL.",
        Remedy.CHANGE_URL, opening=SentenceOpening.NO_ADDRESS,
    ),
    CauseRule(
        "name_unresolved", Failure.DNS, "The host name cannot be resolved",
        "There is no such name, or its name servers do not answer. If many hosts fail like this, our resolver is at "
        "fault.",
        "Please check the domain and its name servers.",
        Remedy.TELL_CUSTOMER,
    ),
    CauseRule(
        "private_address", Failure.ADDRESS_REFUSED, "The host has an address that is not public",
        "The gateway does not call private addresses unless the setting ALLOW_TARGETS names the target.",
        "Please give us a host with a public address.",
        Remedy.ASK_OPERATOR,
    ),
    # --- Connections --------------------------------------------------------------------------------------------------
    CauseRule(
        "gateway_exhausted", Failure.CONNECT, "The gateway cannot open another connection",
        "It is out of memory or file descriptors. This is not the endpoint's fault.",
        "This is a fault on our side. You need not change anything.",
        Remedy.ASK_OPERATOR, opening=SentenceOpening.NO_ROOM,
    ),
    CauseRule(
        "connection_refused", Failure.CONNECT, "The endpoint's server is not running",
        "The host is up, but nothing listens on the port.",
        "Please check that the server runs and listens on the port of the URL.",
        Remedy.TELL_CUSTOMER, opening=SentenceOpening.REFUSED,
    ),
    CauseRule(
        "unreachable", Failure.CONNECT, "The endpoint's address cannot be reached",
        "The gateway has no route to it. If many endpoints fail like this, the gateway's network is at fault.",
        "Please check that the host can be reached from the internet.",
        Remedy.TELL_CUSTOMER, opening=SentenceOpening.UNREACHABLE,
    ),
    CauseRule(
        "connect_timeout", Failure.CONNECT, "Nothing answers at the endpoint's address",
        "Our packets get no answer: the host is down, or a firewall drops them.",
        "Please check that the host is up, and that its firewall lets our addresses through.",
        Remedy.TELL_CUSTOMER,
    ),
    CauseRule(
        "proxy", Failure.PROXY, "The gateway's own proxy cannot connect",
        "The egress proxy refuses the target or is down. This is not the endpoint's fault.",
        "This is a fault on our side. You need not change anything.",
        Remedy.ASK_OPERATOR,
    ),
    CauseRule(
        "closed_midway", Failure.RESET, "The endpoint breaks off its answer",
        "It began to answer, then closed the connection. Most likely its process crashes.",
        "Please look for crashes or restarts of your server while it answers.",
        Remedy.TELL_CUSTOMER, opening=SentenceOpening.CLOSED_MIDWAY,
    ),
    CauseRule(
        "closed_unanswered", Failure.RESET, "The endpoint closes the connection without an answer",
        "It accepted the connection, then closed it. Its process crashes, or something in front of it drops our "
        "connections.",
        "Please look for crashes of your server, and for a firewall that drops our connections.",
        Remedy.TELL_CUSTOMER,
    ),
    # --- TLS ----------------------------------------------------------------------------------------------------------
    CauseRule(
        "certificate_not_yet_valid", Failure.TLS_EXPIRED, "The endpoint's certificate is not valid yet",
        "Its validity begins in the future. It was installed too early, or the gateway's clock is wrong.",
        "Please install a certificate that is valid now.",
        Remedy.TELL_CUSTOMER, opening=SentenceOpening.NOT_YET_VALID,
    ),
    CauseRule(
        "certificate_expired", Failure.TLS_EXPIRED, "The endpoint's certificate has expired",
        "It was not renewed in time{certificate}.",
        "Please renew its certificate, and check why it was not renewed automatically.",
        Remedy.TELL_CUSTOMER,
    ),
    CauseRule(
        "certificate_self_signed", Failure.TLS_UNTRUSTED, "The endpoint's certificate is self-signed",
        "No certificate authority vouches for it. The setting CA_FILE can make the gateway trust a private authority.",
        "Please install a certificate from a public authority.",
        Remedy.TELL_CUSTOMER, opening=SentenceOpening.SELF_SIGNED,
    ),
    CauseRule(
        "certificate_untrusted", Failure.TLS_UNTRUSTED, "The endpoint's certificate is not trusted",
        "Its authority is unknown, or an intermediate certificate is missing. Browsers fetch these; servers do not.",
        "Please install the whole certificate chain, with its intermediate certificates.",
        Remedy.TELL_CUSTOMER,
    ),
    CauseRule(
        "certificate_for_another_host", Failure.TLS_HOSTNAME, "The endpoint's certificate is for another host",
        "The host of the URL is not among its names. The URL may be wrong, or the host moved to another server.",
        "Please install a certificate that names the host of the URL.",
        Remedy.CHANGE_URL,
    ),
    CauseRule(
        "tls_refused", Failure.TLS_HANDSHAKE, "The TLS handshake with the endpoint fails",
        "It does not speak TLS 1.2 or 1.3, or no TLS at all on this port.",
        "Please offer TLS 1.2 or 1.3 on the port of the URL.",
        Remedy.TELL_CUSTOMER,
    ),
    CauseRule(
        "no_token", Failure.TOKEN, "No token came for the endpoint",
        "The endpoint wants a token, and the token endpoint that the subscription names gave none.",
        "Please check that your token endpoint works, and that it knows the client that we ask as.",
        Remedy.TELL_CUSTOMER,
    ),
    # --- Time and form ------------------------------------------------------------------------------------------------
    CauseRule(
        "name_timeout", Failure.TIMEOUT, "The host name is not resolved in time",
        "Its name servers are slow or down. If many hosts fail like this, the gateway's resolver is at fault.",
        "Please check the name servers of the domain.",
        Remedy.TELL_CUSTOMER, opening=SentenceOpening.UNRESOLVED_IN_TIME,
    ),
    CauseRule(
        "connect_timeout", Failure.TIMEOUT, "Nothing answers at the endpoint's address",
        "Our packets get no answer: the host is down, or a firewall drops them.",
        "Please check that the host is up, and that its firewall lets our addresses through.",
        Remedy.TELL_CUSTOMER, opening=SentenceOpening.UNCONNECTED_IN_TIME,
    ),
    CauseRule(
        "tls_timeout", Failure.TIMEOUT, "The endpoint does not finish the TLS handshake in time",
        "It accepted the connection, but is too slow with the handshake. It is overloaded, or speaks no TLS on this "
        "port.",
        "Please check the load of your server, and that it speaks TLS on the port of the URL.",
        Remedy.TELL_CUSTOMER, opening=SentenceOpening.UNSECURED_IN_TIME,
    ),
    CauseRule(
        "answer_unfinished", Failure.TIMEOUT, "The endpoint does not finish its answer in time",
        "It began to answer, but did not finish in time.",
        "Please answer with 2xx at once and a short body, and do the work afterwards.",
        Remedy.TELL_CUSTOMER, opening=SentenceOpening.UNFINISHED_IN_TIME,
    ),
    CauseRule(
        "too_slow", Failure.TIMEOUT, "The endpoint does not answer in time",
        "It accepted the request but did not answer. It most likely does its work before it answers.",
        "Please answer with 2xx within 5 seconds, and do the work afterwards.",
        Remedy.TELL_CUSTOMER,
    ),
    CauseRule(
        "not_http", Failure.PROTOCOL, "The server that answers is not a web server",
        "The answer is not valid HTTP/1.1. The port may belong to another service.",
        "Please check that a web server that speaks HTTP/1.1 listens on the port of the URL.",
        Remedy.CHANGE_URL,
    ),
    # --- Vendors ------------------------------------------------------------------------------------------------------
    CauseRule(
        "unauthorised", Failure.UNAUTHORISED, "The vendor does not accept our token",
        "Connect it again: its access was withdrawn or has expired.",
        "Please connect the account again.",
        Remedy.RECONNECT,
    ),
    CauseRule(
        "throttled", Failure.THROTTLED, "The vendor limits our calls",
        "It said how long to wait. Deliveries continue by themselves.",
        "You need not do anything: deliveries continue by themselves.",
        Remedy.WAIT,
    ),
    CauseRule(
        "vendor_refuses", Failure.REJECTED, "The vendor refuses this event",
        "It would refuse it again, so the delivery was given up at once. The config may name something that no longer "
        "exists.",
        "Please check the names and ids in the subscription's config.",
        Remedy.TELL_CUSTOMER,
    ),
    CauseRule(
        "connector_failed", Failure.CONNECTOR, "The code of this kind of destination failed",
        "It raised an error, or its config asks for something impossible.",
        "This is a fault on our side, unless the config was changed.",
        Remedy.ASK_OPERATOR,
    ),
)  # fmt: skip
CAUSES: Final = tuple(dict.fromkeys(rule.cause for rule in RULES))
"""Every cause, once."""
