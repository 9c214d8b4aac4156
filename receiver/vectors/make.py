"""Writes the vectors that every receiver kit is held against: `python receiver/vectors/make.py`.

It uses the standard library alone, and none of the kit, so that the two can disagree. README.md says what the
fields mean.
"""

import base64
import hashlib
import hmac
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent

NOW = 1_780_000_000
EVENT_ID = "019e6f5e-41cc-712c-858d-0374e2c007fc"
OLD = "an owner's own token"
NEW = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OTHER = "whsec_" + base64.b64encode(b"another 32 bytes, which sign not").decode()
PAGE, ALTERNATE = "plexus-webhook-signature", "plexus-webhook-signature-alternate"
ID, TIMESTAMP, STANDARD = "webhook-id", "webhook-timestamp", "webhook-signature"


def stamp(seconds: int) -> str:
    moment = datetime.fromtimestamp(0, timezone.utc) + timedelta(seconds=seconds, microseconds=250174)  # noqa: UP017
    return moment.isoformat(timespec="microseconds")


def event(**document: Any) -> dict[str, Any]:
    link = "https://files.example.com/files/"
    return {
        "id": EVENT_ID,
        "type": "documentUpdated",
        "createdAt": stamp(NOW - 2),
        "data": {
            "document": {
                "type": "Service Agreement",
                "title": "Señor Company A",
                "status": "awaitingReview",
                "createdAt": "2021-09-02T04:37:56.812919+00:00",
                "sourceApp": "Approve and eSign",
                "startDate": "2021-11-25",
                "executedAt": None,
                "expiryDate": "2021-11-27T13:00:00+00:00",
                "externalId": "d24c0644-1d31-47fa-960e-b0cc8b4f136c",
                "ownerEmail": "owner@example.com",
                "authorEmail": "author@example.com",
                "referenceId": None,
                "contractValue": 1250.5,
                "latestVersion": {"number": "7.1", "downloadUrl": link + "a"},
                "additionalFacts": {"currency": "AUD", "signed": True, "pages": 12},
                "counterpartyName": "Company A",
                "publishedVersion": {"number": "7.0", "downloadUrl": link + "b"},
                **document,
            }
        },
    }


def encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


BODY = encode(event())


def keys(secret: str) -> tuple[bytes, bytes]:
    """The keys of the two schemes (C19, C20)."""
    whole = secret.encode()
    if not secret.startswith("whsec_"):
        return whole, whole
    try:
        decoded = base64.b64decode(secret[6:], validate=True)
    except ValueError:
        return whole, whole
    canonical = base64.b64encode(decoded).decode() == secret[6:]
    return whole, decoded if canonical and 24 <= len(decoded) <= 64 else whole


def page_signature(secret: str, body: bytes) -> str:
    return hmac.new(keys(secret)[0], body, hashlib.sha512).hexdigest()


def standard_signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    mac = hmac.new(keys(secret)[1], f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(mac.digest()).decode()


class Curve:
    """Ed25519 (RFC 8032), slowly: what is signed here is known to everybody, so that nothing has to be kept from those
    who measure times."""

    P = 2**255 - 19
    ORDER = 2**252 + 27742317777372353535851937790883648493
    D = -121665 * pow(121666, -1, P) % P
    BASE = (
        15112221349535400772501151409588531511454012693041857206046113283949847762202,
        46316835694926478169428394003475163141307993866256225615783033603165251855960,
    )

    @classmethod
    def add(cls, one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
        (x, y), (u, v) = one, other
        both = cls.D * x * y * u * v
        return (
            (x * v + u * y) * pow(1 + both, -1, cls.P) % cls.P,
            (y * v + x * u) * pow(1 - both, -1, cls.P) % cls.P,
        )

    @classmethod
    def times(cls, count: int) -> bytes:
        """The base point, so many times, encoded."""
        total, point = (0, 1), cls.BASE
        while count:
            if count & 1:
                total = cls.add(total, point)
            point, count = cls.add(point, point), count >> 1
        return (total[1] | (total[0] & 1) << 255).to_bytes(32, "little")


def _number(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


class Pair:
    """A key pair, made of 32 bytes."""

    def __init__(self, seed: bytes) -> None:
        hashed = hashlib.sha512(seed).digest()
        self._factor = int.from_bytes(hashed[:32], "little") & (2**254 - 8) | 2**254
        self._prefix = hashed[32:]
        self._public = Curve.times(self._factor)
        self.public_key = "whpk_" + base64.b64encode(self._public).decode()

    def signature(self, message: bytes) -> bytes:
        nonce = _number(self._prefix, message) % Curve.ORDER
        point = Curve.times(nonce)
        rest = (nonce + _number(point, self._public, message) * self._factor) % Curve.ORDER
        return point + rest.to_bytes(32, "little")

    def entry(self, message_id: str, timestamp: int, body: bytes) -> str:
        """The entry of `webhook-signature`."""
        signed = f"{message_id}.{timestamp}.".encode() + body
        return "v1a," + base64.b64encode(self.signature(signed)).decode()


def sent(*secrets: str, body: bytes = BODY, at: int = NOW) -> dict[str, str]:
    """The headers that the gateway sends; with two secrets, during a rotation: the old one first (C21)."""
    pages = dict(zip((PAGE, ALTERNATE), (page_signature(secret, body) for secret in secrets), strict=False))
    return {
        "content-type": "application/json",
        "user-agent": "Signalpost/0.1.0",
        **pages,
        STANDARD: " ".join(standard_signature(secret, EVENT_ID, at, body) for secret in secrets),
        ID: EVENT_ID,
        TIMESTAMP: str(at),
        "signalpost-sequence": "17",
        "signalpost-attempt": "1",
    }


def without(headers: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in names}


def page_only(headers: dict[str, str]) -> dict[str, str]:
    return without(headers, ID, TIMESTAMP, STANDARD)


def standard_only(headers: dict[str, str]) -> dict[str, str]:
    return without(headers, PAGE, ALTERNATE)


STATUS = {
    "MissingHeader": 401,
    "MalformedSignature": 401,
    "Mismatch": 401,
    "TooOld": 400,
    "InFuture": 400,
    "TooLarge": 413,
    "InvalidJSON": 400,
    "TooDeep": 400,
    "DuplicateKey": 400,
    "Schema": 400,
}


class Requests:
    """The cases, in the order in which they are added."""

    def __init__(self) -> None:
        self.cases: list[dict[str, Any]] = []

    def add(
        self,
        name: str,
        verdict: str,
        headers: dict[str, str] | list[tuple[str, str]],
        *,
        body: bytes = BODY,
        secrets: tuple[str, ...] = (OLD,),
        now: int = NOW,
        expect: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        try:
            shown: dict[str, Any] = {"body": body.decode()}
        except UnicodeDecodeError:
            shown = {"bodyBase64": base64.b64encode(body).decode()}
        pairs = headers.items() if isinstance(headers, dict) else headers
        case: dict[str, Any] = {"name": name, "secrets": list(secrets), "now": now}
        if options:
            case["options"] = options
        case |= {"headers": [list(pair) for pair in pairs], **shown, "verdict": verdict}
        if verdict == "ok":
            case["event"] = {"id": EVENT_ID, **(expect or {})}
        else:
            case["status"] = STATUS[verdict]
        self.cases.append(case)

    def signed(self, name: str, verdict: str, body: bytes, **more: Any) -> None:
        """A case of a body that is signed rightly."""
        self.add(name, verdict, sent(OLD, body=body), body=body, **more)


def genuine(requests: Requests) -> None:
    add = requests.add
    everything = {
        "type": "documentUpdated",
        "createdAt": stamp(NOW - 2),
        "sequence": 17,
        "attempt": 1,
        "isReplay": False,
        "isTest": False,
        "document": {
            "title": "Señor Company A",
            "status": "awaitingReview",
            "contractValue": "1250.5",
            "startDate": "2021-11-25",
            "expiryDate": "2021-11-27T13:00:00+00:00",
            "additionalFacts": {"currency": "AUD", "signed": True, "pages": 12},
            "latestVersion": {"number": "7.1", "expiresAt": stamp(NOW - 2 + 900)},
        },
    }
    add("as the gateway sends it", "ok", sent(OLD), expect=everything)
    add("with a token that was made", "ok", sent(NEW), secrets=(NEW,))
    add("the page's signature alone", "ok", page_only(sent(OLD)))
    add("the page's signature alone, with a token that was made", "ok", page_only(sent(NEW)), secrets=(NEW,))
    add("the Standard Webhooks headers alone", "ok", standard_only(sent(OLD)))
    add(
        "the Standard Webhooks headers alone, with a token that was made",
        "ok",
        standard_only(sent(NEW)),
        secrets=(NEW,),
    )
    add("header names in title case", "ok", {name.title(): value for name, value in sent(OLD).items()})
    add("header names in upper case", "ok", {name.upper(): value for name, value in sent(OLD).items()})
    add("other headers may be repeated", "ok", [("accept", "a"), ("accept", "b"), *sent(OLD).items()])
    odd = sent(OLD) | {STANDARD: "v1a,abc v2,? nonsense " + sent(OLD)[STANDARD]}
    add("signatures of versions that are not known are passed over", "ok", odd)
    add("a body just as long as the cap", "ok", sent(OLD), maxBodyBytes=len(BODY))
    hints = sent(OLD) | {
        "signalpost-attempt": "4",
        "signalpost-replay": "true",
        "signalpost-sequence": "9007199254740993",
    }
    add("a replay", "ok", hints, expect={"attempt": 4, "isReplay": True, "isTest": False})
    test = sent(OLD) | {"signalpost-test": "true", "signalpost-sequence": "0"}
    add("a sample that tests the endpoint", "ok", test, expect={"sequence": 0, "isTest": True})
    wrong = sent(OLD) | {"signalpost-attempt": "many", "signalpost-sequence": "-1", "signalpost-test": "yes"}
    add(
        "unsigned headers that cannot be read are ignored",
        "ok",
        wrong,
        expect={"sequence": None, "attempt": None, "isTest": False},
    )
    bare = without(sent(OLD), "signalpost-attempt", "signalpost-sequence")
    add("without the unsigned headers", "ok", bare, expect={"sequence": None, "attempt": None})


def rotation(requests: Requests) -> None:
    add = requests.add
    both = sent(OLD, NEW)
    for name, secrets in (("old", (OLD,)), ("new", (NEW,)), ("both", (OLD, NEW)), ("both, new first", (NEW, OLD))):
        add(f"rotation: the receiver has the {name}", "ok", both, secrets=secrets)
        add(f"rotation, page alone: the receiver has the {name}", "ok", page_only(both), secrets=secrets)
        add(f"rotation, standard alone: the receiver has the {name}", "ok", standard_only(both), secrets=secrets)
    add("before a rotation: the receiver has both", "ok", sent(OLD), secrets=(NEW, OLD))
    add("after a rotation: the receiver has both", "ok", sent(NEW), secrets=(NEW, OLD))
    add("after a rotation: the receiver has the old", "Mismatch", sent(NEW))
    add("rotation: the receiver has another", "Mismatch", both, secrets=(OTHER,))


def forged(requests: Requests) -> None:
    add = requests.add
    for name, cut in (("", dict), (", page alone", page_only), (", standard alone", standard_only)):
        add(f"another secret{name}", "Mismatch", cut(sent(OTHER)))
        add(f"a space more in the body{name}", "Mismatch", cut(sent(OLD)), body=BODY + b" ")
        reencoded = json.dumps(json.loads(BODY), indent=1).encode()
        add(f"a body that was parsed and encoded again{name}", "Mismatch", cut(sent(OLD)), body=reencoded)
        add(f"an empty body with a signature of another{name}", "Mismatch", cut(sent(OLD)), body=b"")
    for name, value in ((ID, "019e6f5e-41cc-712c-858d-000000000000"), (TIMESTAMP, str(NOW + 1))):
        add(f"another {name}", "Mismatch", standard_only(sent(OLD)) | {name: value})
    fresh = sent(OLD, at=NOW - 7200) | {TIMESTAMP: str(NOW)}
    add("a fresh time over an old one; the page's signature fits", "Mismatch", fresh)
    add("the body's SHA-512 without a key", "Mismatch", {PAGE: hashlib.sha512(BODY).hexdigest()})
    add("signed with the empty string", "Mismatch", {PAGE: hmac.new(b"", BODY, hashlib.sha512).hexdigest()})
    moved = b'{"title":".1780000000.rest"}'
    split = {ID: EVENT_ID + '.1.{"title":"', TIMESTAMP: str(NOW), STANDARD: standard_signature(OLD, EVENT_ID, 1, moved)}
    add("a part of the body as a part of the id", "MalformedSignature", split, body=b'rest"}')


def headers(requests: Requests) -> None:
    add = requests.add
    add("no headers", "MissingHeader", {})
    add("no signature", "MissingHeader", {"content-type": "application/json", ID: EVENT_ID, TIMESTAMP: str(NOW)})
    add("webhook-signature without webhook-timestamp", "MissingHeader", without(sent(OLD), TIMESTAMP))
    add("webhook-signature without webhook-id", "MissingHeader", without(sent(OLD), ID))
    add("the page's header empty", "MalformedSignature", {PAGE: ""})
    signature = sent(OLD)[PAGE]
    for name, value in (
        ("cut short", signature[:16]),
        ("in upper case", signature.upper()),
        ("with a line end", signature + "\n"),
        ("not ASCII", "ä" * 128),
        ("as base64", base64.b64encode(bytes.fromhex(signature)).decode()),
        ("with its scheme", "sha512=" + signature),
        ("twice in one value", f"{signature}, {signature}"),
    ):
        add(f"the page's signature {name}", "MalformedSignature", {PAGE: value})
    add("the alternate header is nothing", "MalformedSignature", page_only(sent(OLD)) | {ALTERNATE: "x"})
    entry = sent(OLD)[STANDARD]
    for name, value in (
        ("empty", ""),
        ("without a comma", "v1"),
        ("without base64", "v1,"),
        ("with short base64", "v1,AAAA"),
        ("not ASCII", "v1," + "ä" * 44),
        ("of another version", "v2," + entry[3:]),
        ("with a comma between two", f"{entry},{entry}"),
    ):
        add(f"webhook-signature {name}", "MalformedSignature", standard_only(sent(OLD)) | {STANDARD: value})
    for value in ("", "abc", "1.5", "-1", f"0{NOW}", f"+{NOW}", f" {NOW}", "٣", "9" * 5000, f"{NOW}000"):
        add(f"webhook-timestamp {value[:20]!r}", "MalformedSignature", sent(OLD) | {TIMESTAMP: value})
    for value in ("", "a.b", "ä", "a b", "a" * 257):
        add(f"webhook-id {value[:20]!r}", "MalformedSignature", sent(OLD) | {ID: value})
    for name in (PAGE, STANDARD, ID, TIMESTAMP):
        pairs = [*sent(OLD).items(), (name.title(), sent(OLD)[name])]
        add(f"{name} twice", "MalformedSignature", pairs)


def times(requests: Requests) -> None:
    add = requests.add
    add("signed an hour ago", "ok", sent(OLD, at=NOW - 3600))
    add("signed an hour and a second ago", "TooOld", sent(OLD, at=NOW - 3601))
    add("signed in 2017", "TooOld", sent(OLD, at=1_500_000_000))
    add("signed at the epoch", "TooOld", sent(OLD, at=0))
    add("signed a minute ahead", "ok", sent(OLD, at=NOW + 60))
    add("signed a minute and a second ahead", "InFuture", sent(OLD, at=NOW + 61))
    add("signed in the year 3000", "InFuture", sent(OLD, at=32_503_680_000))
    add("a shorter max age", "TooOld", sent(OLD, at=NOW - 301), maxAge=300)
    add("no max age", "ok", sent(OLD, at=1_500_000_000), maxAge=None)
    add("no max age, in the future", "ok", sent(OLD, at=32_503_680_000), maxAge=None)
    add("no skew", "InFuture", sent(OLD, at=NOW + 1), skew=0)
    late = encode(event() | {"createdAt": stamp(NOW - 30 * 86400)})
    add("a replay of an event of last month is signed now", "ok", sent(OLD, body=late), body=late)
    add("the page's signature alone, an event of last month", "TooOld", page_only(sent(OLD, body=late)), body=late)
    add("the page's signature alone, without a max age", "ok", page_only(sent(OLD, body=late)), body=late, maxAge=None)
    early = encode(event() | {"createdAt": stamp(NOW + 3600)})
    add("the page's signature alone, an event of the future", "InFuture", page_only(sent(OLD, body=early)), body=early)


def bodies(requests: Requests) -> None:
    signed = requests.signed
    signed("a body over the cap", "TooLarge", BODY, maxBodyBytes=len(BODY) - 1)
    requests.add("a forged body over the cap", "TooLarge", sent(OTHER), maxBodyBytes=len(BODY) - 1)
    for name, body in (
        ("empty", b""),
        ("no UTF-8", b"\xff\xfe"),
        ("no UTF-8 in a text", BODY.replace("ñ".encode(), b"\xf1")),
        ("a byte-order mark", b"\xef\xbb\xbf" + BODY),
        ("UTF-16", BODY.decode().encode("utf-16")),
        ("cut short", BODY[:-1]),
        ("two values", BODY + b"{}"),
        ("single quotes", BODY.replace(b'"', b"'")),
        ("a comma at the end", BODY[:-1] + b",}"),
        ("NaN", BODY.replace(b"1250.5", b"NaN")),
        ("Infinity", BODY.replace(b"1250.5", b"-Infinity")),
        ("half a surrogate pair", BODY.replace(b"Company", b"\\ud800")),
        ("a raw line end in a string", BODY.replace(b"Company", b"\n")),
    ):
        signed(f"not JSON: {name}", "InvalidJSON", body)
    deep = BODY.replace(b'"AUD"', b"[" * 28 + b"]" * 28)
    signed("nested 33 deep", "TooDeep", deep.replace(b"[]", b"[[]]"))
    signed("nested 32 deep in a fact", "ok", deep)
    signed("nested 10,000 deep", "TooDeep", b"[" * 10_000 + b"]" * 10_000)
    many = encode(event(additionalFacts={str(number): "[{" for number in range(64)}))
    signed("brackets in texts are no depth", "ok", many)
    signed("id twice", "DuplicateKey", BODY.replace(b'{"id"', b'{"id":"first","id"'))
    signed("status twice", "DuplicateKey", BODY.replace(b'"status"', b'"status":"executed","status"'))
    signed("a name twice in an attribute that is not known", "DuplicateKey", BODY[:-1] + b',"x":{"a":1,"a":1}}')
    twice = BODY.replace(b'"currency"', b'"currency":"USD","currency"')
    facts = {"additionalFacts": {"currency": "AUD", "signed": True, "pages": 12}}
    signed("a fact twice, as in the page's example: the last counts", "ok", twice, expect={"document": facts})


def forms(requests: Requests) -> None:
    signed = requests.signed
    for name, value in (
        ("null", None),
        ("a list", []),
        ("an empty object", {}),
        ("a text", "documentUpdated"),
        ("data is a list", event() | {"data": []}),
        ("no document", event() | {"data": {}}),
        ("id is a number", event() | {"id": 5}),
        ("id is empty", event() | {"id": ""}),
        ("id of 257 characters", event() | {"id": "a" * 257}),
        ("createdAt without a zone", event() | {"createdAt": "2021-11-11T22:39:59"}),
        ("createdAt of the 30th of February", event() | {"createdAt": "2021-02-30T22:39:59+00:00"}),
        ("createdAt as a number", event() | {"createdAt": NOW}),
        ("contractValue as a text", event(contractValue="1.0")),
        ("contractValue true", event(contractValue=True)),
        ("title null", event(title=None)),
        ("latestVersion without its link", event(latestVersion={"number": "7.1"})),
        ("additionalFacts null", event(additionalFacts=None)),
        ("startDate in words", event(startDate="tomorrow")),
    ):
        signed(f"not an event: {name}", "Schema", encode(value))
    missing = event()
    del missing["data"]["document"]["referenceId"]
    signed("not an event: without referenceId", "Schema", encode(missing))
    signed(
        "an amount that a float would round",
        "ok",
        BODY.replace(b"1250.5", b"9999999999999.99"),
        expect={"document": {"contractValue": "9999999999999.99"}},
    )
    signed(
        "an amount with a zero at its end",
        "ok",
        BODY.replace(b"1250.5", b"0.10"),
        expect={"document": {"contractValue": "0.10"}},
    )
    empty = dict.fromkeys(
        ("counterpartyName", "startDate", "expiryDate", "contractValue", "latestVersion", "publishedVersion")
    )
    signed("null where there is none", "ok", encode(event(**empty)), expect={"document": empty})
    signed(
        "a status that is not known",
        "ok",
        encode(event(status="awaitingMoonrise")),
        expect={"document": {"status": "awaitingMoonrise"}},
    )
    moved = event() | {"type": "folderMoved", "data": {"folder": {"name": "A"}}}
    signed("a type that is not known", "ok", encode(moved), expect={"type": "folderMoved", "document": None})
    signed("attributes that are not known", "ok", encode(event(colour={"red": 0.5}) | {"region": "au"}))
    zoned = event(startDate="2021-11-27T13:00:00.5+10:30")
    expected = {"document": {"startDate": "2021-11-27T02:30:00.500000+00:00"}}
    signed("a timestamp of another zone", "ok", encode(zoned), expect=expected)


def requests() -> list[dict[str, Any]]:
    every = Requests()
    for part in (genuine, rotation, forged, headers, times, bodies, forms):
        part(every)
    names = [case["name"] for case in every.cases]
    assert len(set(names)) == len(names), "names are unique"
    return every.cases


def key_pairs() -> list[dict[str, Any]]:
    """Requests of a subscription that signs with a key pair, too."""
    every = Requests()
    add = every.add
    # The first seed of RFC 8032, so that its public key is one that this program did not compute alone.
    pair = Pair(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
    new, other = Pair(bytes(range(32))), Pair(b"another 32 bytes, which sign not")
    entry, key = pair.entry(EVENT_ID, NOW, BODY), (pair.public_key,)

    def signed(*entries: str) -> dict[str, str]:
        headers = sent(OLD)
        return headers | {STANDARD: " ".join((headers[STANDARD], *entries))}

    add("the receiver has the public key", "ok", signed(entry), secrets=key)
    add("the receiver has the secret", "ok", signed(entry))
    add("the receiver has both", "ok", signed(entry), secrets=(OLD, *key))
    add("the receiver has both, and only the secret fits", "ok", sent(OLD), secrets=(*key, OLD))
    add("the receiver has both, and only the key fits", "ok", signed(entry), secrets=(*key, OTHER))
    both = signed(entry, new.entry(EVENT_ID, NOW, BODY))
    for name, keys in (("old", key), ("new", (new.public_key,)), ("both", (new.public_key, *key))):
        add(f"rotation: the receiver has the {name} public key", "ok", both, secrets=keys)
    add("rotation: the receiver has another public key", "Mismatch", both, secrets=(other.public_key,))
    add("another key pair", "Mismatch", signed(other.entry(EVENT_ID, NOW, BODY)), secrets=key)
    add("a space more in the body", "Mismatch", signed(entry), body=BODY + b" ", secrets=key)
    add(
        "the body alone is signed",
        "Mismatch",
        signed("v1a," + base64.b64encode(pair.signature(BODY)).decode()),
        secrets=key,
    )
    for name, value in ((ID, "019e6f5e-41cc-712c-858d-000000000000"), (TIMESTAMP, str(NOW + 1))):
        add(f"another {name}", "Mismatch", signed(entry) | {name: value}, secrets=key)
    flipped = base64.b64decode(entry[4:])
    flipped = bytes((*flipped[:-1], flipped[-1] ^ 1))
    add(
        "a signature with another last bit",
        "Mismatch",
        signed("v1a," + base64.b64encode(flipped).decode()),
        secrets=key,
    )
    add("a signature of zeros", "Mismatch", signed("v1a," + "A" * 86 + "=="), secrets=key)
    forged = sent(pair.public_key) | {STANDARD: standard_signature(pair.public_key, EVENT_ID, NOW, BODY)}
    add("the public key as a secret", "MalformedSignature", forged, secrets=key)
    add("the public key as a secret, the page's signature alone", "MissingHeader", page_only(forged), secrets=key)
    add("only the secret has signed", "MalformedSignature", sent(OLD), secrets=key)
    add("the page's signature alone", "MissingHeader", page_only(signed(entry)), secrets=key)
    for name, value in (
        ("short", entry[:-4]),
        ("not ASCII", "v1a," + "ä" * 88),
        ("of the other version", entry.replace("v1a", "v1")),
    ):
        add(f"a signature {name}", "MalformedSignature", signed(value), secrets=key)
    many = [other.entry(EVENT_ID, NOW, BODY)] * 4
    add("more signatures than any gateway sends", "Mismatch", signed(*many, entry), secrets=key)
    add(
        "signed an hour and a second ago",
        "TooOld",
        sent(OLD, at=NOW - 3601) | {STANDARD: pair.entry(EVENT_ID, NOW - 3601, BODY)},
        secrets=key,
    )
    return every.cases


def signatures() -> list[dict[str, Any]]:
    """What is signed with what, and comes to which signature."""
    secrets = [
        OLD,
        NEW,
        "ключ-ключ",
        "x" * 256,
        "whsec_bm90IGxvbmcgZW5vdWdo",
        "whsec_not base64 at all, ünfortunately",
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(24)).decode(),
        "whsec_" + base64.b64encode(bytes(64)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_" + base64.b64encode(bytes(32)).decode().rstrip("="),
        "whsec_" + "A" * 42 + "B=",
        "whsec_" + "-_" * 22,
    ]
    return [
        {
            "secret": secret,
            "body": body.decode(),
            "id": EVENT_ID,
            "timestamp": NOW,
            "page": page_signature(secret, body),
            "standard": standard_signature(secret, EVENT_ID, NOW, body),
            "standardSecret": "whsec_" + base64.b64encode(keys(secret)[1]).decode(),
        }
        for secret in secrets
        for body in (BODY, b"", b"{}")
    ]


RFC_4231 = [
    (
        b"\x0b" * 20,
        b"Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        (
            "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
            "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"
        ),
    ),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        (
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
            "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
        ),
    ),
    (
        b"\xaa" * 20,
        b"\xdd" * 50,
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        (
            "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39"
            "bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb"
        ),
    ),
    (
        bytes(range(1, 26)),
        b"\xcd" * 50,
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        (
            "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3db"
            "a91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd"
        ),
    ),
    (  # The RFC cuts this one's answers to 128 bits.
        b"\x0c" * 20,
        b"Test With Truncation",
        "a3b6167473100ee06e0c796c2955552b",
        "415fad6271580a531d4179bc891d87a6",
    ),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        (
            "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
            "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"
        ),
    ),
    (
        b"\xaa" * 131,
        (
            b"This is a test using a larger than block-size key and a larger than block-size data. "
            b"The key needs to be hashed before being used by the HMAC algorithm."
        ),
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        (
            "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944"
            "b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58"
        ),
    ),
]
"""The test cases 1 to 7 of RFC 4231: key, data, HMAC-SHA256, HMAC-SHA512."""


def known_answers() -> list[dict[str, Any]]:
    """Answers that this program did not compute."""
    return [
        {
            "name": f"RFC 4231, test case {number}",
            "key": key.hex(),
            "data": data.hex(),
            "isText": key.isascii(),
            "sha256": sha256,
            "sha512": sha512,
        }
        for number, (key, data, sha256, sha512) in enumerate(RFC_4231, start=1)
    ]


def arrival(
    number: int, outcome: str, *, at: int = 0, kind: str = "documentUpdated", document: int = 1, fails: bool = False
) -> dict[str, Any]:
    """The event with this number arrives: it was made so many seconds after the others."""
    shown = {
        "id": f"event-{number}",
        "type": kind,
        "createdAt": stamp(NOW + number),
        "document": f"document-{document}",
    }
    return {"at": at, "event": shown, **({"handlerFails": True} if fails else {}), "outcome": outcome}


def drained(at: int, *results: tuple[int, str], fails: bool = False) -> dict[str, Any]:
    """What is due is drained, and becomes this."""
    shown = [[f"event-{number}", outcome] for number, outcome in results]
    return {"at": at, **({"handlerFails": True} if fails else {}), "drained": shown}


def order() -> list[dict[str, Any]]:
    """Arrivals one after the other, and what happens to each."""
    deleted, created = "documentDeleted", "documentCreated"
    return [
        {
            "name": "an event that comes again",
            "order": None,
            "steps": [arrival(1, "handled"), arrival(1, "duplicate", at=9), arrival(1, "duplicate", at=30 * 86400 - 1)],
        },
        {
            "name": "an event that comes again when it is forgotten",
            "order": None,
            "steps": [arrival(1, "handled"), arrival(1, "handled", at=30 * 86400)],
        },
        {
            "name": "an event whose handler failed",
            "order": None,
            "steps": [arrival(1, "failed", fails=True), arrival(1, "handled", at=10), arrival(1, "duplicate", at=70)],
        },
        {
            "name": "events out of order, which nobody asked to keep",
            "order": None,
            "steps": [arrival(2, "handled"), arrival(1, "handled"), arrival(3, "handled")],
        },
        {
            "name": "skip stale: one that a later one overtook",
            "order": "skipStale",
            "steps": [arrival(1, "handled"), arrival(3, "handled"), arrival(2, "stale"), arrival(4, "handled")],
        },
        {
            "name": "skip stale: a duplicate of a handled one is a duplicate, not stale",
            "order": "skipStale",
            "steps": [arrival(1, "handled"), arrival(2, "handled"), arrival(1, "duplicate")],
        },
        {
            "name": "skip stale: one that failed is stale once a later one was handled",
            "order": "skipStale",
            "steps": [arrival(1, "failed", fails=True), arrival(2, "handled"), arrival(1, "stale", at=10)],
        },
        {
            "name": "skip stale: documents have orders of their own",
            "order": "skipStale",
            "steps": [arrival(2, "handled"), arrival(1, "handled", document=2), arrival(3, "handled", document=2)],
        },
        {
            "name": "skip stale: a late update does not bring a deleted document back",
            "order": "skipStale",
            "steps": [arrival(3, "handled", kind=deleted), arrival(2, "stale"), arrival(1, "stale", kind=created)],
        },
        {
            "name": "skip stale: a document that is made again after its deletion",
            "order": "skipStale",
            "steps": [arrival(1, "handled", kind=deleted), arrival(2, "handled", kind=created), arrival(3, "handled")],
        },
        {
            "name": "buffer: three that come in the wrong order",
            "order": "buffer",
            "steps": [
                arrival(3, "held"),
                arrival(1, "held", at=2),
                arrival(2, "held", at=4),
                drained(14),
                drained(15, (1, "handled"), (2, "handled"), (3, "handled")),
                drained(60),
            ],
        },
        {
            "name": "buffer: one that comes again, held or handled",
            "order": "buffer",
            "steps": [
                arrival(1, "held"),
                arrival(1, "duplicate", at=5),
                drained(15, (1, "handled")),
                arrival(1, "duplicate", at=20),
            ],
        },
        {
            "name": "buffer: one that comes after a later one was handled",
            "order": "buffer",
            "steps": [arrival(2, "held"), drained(15, (2, "handled")), arrival(1, "stale", at=16), drained(60)],
        },
        {
            "name": "buffer: a handler that fails stops its document until its time, and no other",
            "order": "buffer",
            "steps": [
                arrival(1, "held"),
                arrival(2, "held"),
                drained(15, (1, "failed"), fails=True),
                arrival(3, "held", at=16, document=2),
                drained(44, (3, "handled")),
                drained(45, (1, "handled"), (2, "handled")),
            ],
        },
    ]


def write(name: str, cases: list[dict[str, Any]]) -> str:
    lines = ",\n".join("  " + json.dumps(case, ensure_ascii=False) for case in cases)
    return f'{{"format": 1, "kind": "{name}", "cases": [\n{lines}\n]}}\n'


FILES = {"hmac": known_answers, "signatures": signatures, "requests": requests, "key-pairs": key_pairs, "order": order}

if __name__ == "__main__":
    for each, made in FILES.items():
        (FOLDER / f"{each}.json").write_text(write(each, made()), encoding="utf-8")
