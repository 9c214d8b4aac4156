"""What went over the wire in an attempt, as answers show it."""

import msgspec

from signalpost.api.routing.shapes.deliveries import AttemptExchange, Header
from signalpost.domain.delivery.exchange import Exchange

_decode = msgspec.json.Decoder(Exchange).decode


def kept_exchange(kept: bytes) -> AttemptExchange | None:
    """What is kept of an attempt; None if nothing is."""
    return shown_exchange(_decode(kept)) if kept else None


def shown_exchange(kept: Exchange) -> AttemptExchange:
    return AttemptExchange(
        url=kept.url,
        request_headers=[Header(name=name, value=value) for name, value in kept.request_headers],
        answer_headers=[Header(name=name, value=value) for name, value in kept.answer_headers],
        address=kept.address,
        tls=kept.tls,
        new_connection=kept.is_new,
        name_ms=_ms(kept.name_us),
        connect_ms=_ms(kept.connect_us),
        tls_ms=_ms(kept.tls_us),
    )


def _ms(us: int | None) -> float | None:
    return None if us is None else round(us / 1000, 3)
