"""Webhooks that offer a client certificate to their endpoints, another one, or none any more.

What is drawn for them has randomness of its own, so that the world of a seed without them is what it was. No connection
of these worlds speaks TLS: what a request would offer is in its target, and that is compared."""

from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import trustme
from cryptography import x509
from gateway.tests.joints.history import Attempt, ClientCall
from gateway.tests.joints.node import JointNode
from gateway.tests.world.model import sayings
from gateway.tests.world.model.wishes import Wish
from gateway.tests.world.timeline import Change

if TYPE_CHECKING:
    from gateway.tests.joints.clients import Clients

KEPT = 6
"""How many certificates there are: more would take time to make."""


@cache
def _authority() -> trustme.CA:
    return trustme.CA()


@cache
def _issued(number: int) -> dict[str, str]:
    """A certificate with its private key, as the API takes it."""
    made = _authority().issue_cert(f"client{number}.example")
    return {
        "certificate": "".join(each.bytes().decode() for each in made.cert_chain_pems),
        "privateKey": made.private_key_pem.bytes().decode(),
    }


@cache
def _name_in(pem: bytes) -> str:
    """The name in the first certificate of a chain."""
    names = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return str(names.value.get_values_for_type(x509.DNSName)[0])


class Certificates:
    def __init__(self, clients: "Clients") -> None:
        self._clients = clients
        self._world = clients.world
        self._random = Random(f"certificates {clients.world.seed}")
        drawn = self._random.choice((0.0, 0.0, 0.15))
        self._often = drawn if clients.world.plan.has_certificates else 0.0
        """How likely one changes whenever a client does something."""
        self._given_for: dict[tuple[str, str], set[str]] = {}
        """The origins for which each webhook was given each certificate."""

    async def act(self, node: JointNode) -> None:
        """Have one webhook or shadow offer a certificate, or another one, or none, if it is time for that."""
        if self._random.random() >= self._often:
            return
        fit = [each for each in self._clients.webhooks if each.id and not self._clients.is_busy(each)]
        if not fit:
            return
        wish = self._random.choice(fit)
        if wish.certificate.last is not None and self._random.random() < 0.3:
            await self._change(node, wish, f"{wish} offers no certificate", None, {"clientCertificate": None}, [])
        else:
            await self._give(node, wish)

    async def _give(self, node: JointNode, wish: Wish) -> None:
        owners, random, now = self._clients.owners, self._random, self._world.time.now
        host, number = urlsplit(wish.url.last).netloc, random.randrange(KEPT)
        body: dict[str, Any] = {"clientCertificate": _issued(number)}
        moves: list[Change[Any]] = []
        if wish.name in owners.wishes and wish.oauth.last is None and random.random() < 0.4:
            host = random.choice((f"{wish}.example", f"{wish}.elsewhere.example"))
            body |= {"url": f"https://{host}/offers-{number}", "headers": {"x-of": f"{wish} offers {number}"}}
            owners.origins.setdefault(body["headers"]["x-of"], set()).add(host)
            moves = [wish.url.begin(body["url"], now), wish.headers.begin(body["headers"], now)]
            moves += self._clients.shadows.begin_headers(wish)
        name = f"client{number}.example"
        self._given_for.setdefault((wish.name, name), set()).add(host)
        await self._change(node, wish, f"{wish} offers {name} to {host}", name, body, moves)

    async def _change(
        self, node: JointNode, wish: Wish, what: str, name: str | None, body: Any, moves: list[Change[Any]]
    ) -> None:
        changes = [wish.certificate.begin(name, self._world.time.now), *moves]

        def settle(asked: ClientCall) -> None:
            if not asked.is_done and not wish.deleted.last:
                assert asked.answer is not None
                self._world.fail(sayings.CERTIFICATE.rule, f"{asked}: {asked.answer.body.decode()}")
            for change in changes:
                if asked.is_done:
                    change.done = asked.done_at
                else:
                    wish.forget(change)
                    self._clients.shadows.forget(wish, change)

        path = f"/v1/subscriptions/{wish.id}"
        await self._clients.ask(node, ClientCall(what, "PATCH", path, body, about=wish, on_done=settle))

    def check(self, attempt: Attempt, first: float) -> None:
        """A request offers the certificate of its webhook, as that was at some moment since the `first`, and to the
        origin that it was given for."""
        fail, name = self._world.fail, _name_in(attempt.certificate) if attempt.certificate else None
        wanted = attempt.wish.certificate.between(first, attempt.at)
        if name not in wanted:
            fail(sayings.CERTIFICATE.rule, f"{attempt} offers {name}, not one of {wanted}: {sayings.CERTIFICATE}")
        if name is not None and urlsplit(attempt.url).netloc not in self._origins(attempt.wish, name):
            what = f"{attempt} offers {name} to {attempt.url}"
            fail(sayings.CERTIFICATE_ELSEWHERE.rule, f"{what}: {sayings.CERTIFICATE_ELSEWHERE}")

    def _origins(self, wish: Wish, name: str) -> set[str]:
        """The origins for which this or, before a promotion, the other one of a shadow and its original was given
        it."""
        both = {wish.name, *self._clients.shadows.names_beside(wish)}
        return {origin for each in both for origin in self._given_for.get((each, name), ())}
