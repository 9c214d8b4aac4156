"""Measures what the receiver kit costs for an event of 1.5 KB: `python benchmarks/receiver_kit.py`.

Times are the best of many short runs, so that other work on the machine counts as little as possible.
`--profile` shows where a verification spends them.
"""

import cProfile
import json
import math
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from signalpost_receiver import Receiver, Signer, make_token, parse
from signalpost_receiver.headers import read_headers
from signalpost_receiver.verify import Verifier

SECRET = make_token()
NOW = 1_780_000_000
SIZE = 1500
EXAMPLE = Path(__file__).parents[1] / "receiver" / "tests" / "examples" / "documentUpdated.json"


def event_of(size: int) -> bytes:
    """The page's example, compact, with a title that makes it so long."""
    event = json.loads(EXAMPLE.read_bytes())
    document = event["data"]["document"]
    missing = size - len(json.dumps(event, separators=(",", ":")))
    document["title"] += "x" * missing
    return json.dumps(event, separators=(",", ":")).encode()


def headers_of(body: bytes) -> dict[str, str]:
    """The headers of a delivery, and those that a proxy adds."""
    event_id, signer = str(json.loads(body)["id"]), Signer(SECRET)
    return {
        "host": "receiver.example.com",
        "user-agent": "Signalpost/0.1.0",
        "content-type": "application/json",
        "content-length": str(len(body)),
        "x-forwarded-for": "192.0.2.1",
        "plexus-webhook-signature": signer.page_signature(body),
        "webhook-id": event_id,
        "webhook-timestamp": str(NOW),
        "webhook-signature": signer.standard_signature(event_id, NOW, body),
        "signalpost-sequence": "17",
        "signalpost-attempt": "1",
    }


def best_us(parts: Mapping[str, Callable[[], object]], runs: int = 3000, calls: int = 20) -> dict[str, float]:
    """The microseconds that a call of each takes, measured in turns.

    A run is shorter than the time after which a busy machine lets another program work, whose leavings in the caches
    would be counted.
    """
    best = dict.fromkeys(parts, math.inf)
    for _ in range(runs):
        for name, call in parts.items():
            start = time.perf_counter_ns()
            for _ in range(calls):
                call()
            best[name] = min(best[name], (time.perf_counter_ns() - start) / calls / 1000)
    return best


def main() -> None:
    """Print the table, or the profile."""
    body = event_of(SIZE)
    headers = headers_of(body)
    receiver, verifier, found = Receiver(secrets=SECRET, clock=lambda: NOW), Verifier(SECRET), read_headers(headers)
    if "--profile" in sys.argv:
        cProfile.runctx("for _ in range(50_000): receiver.verify(body, headers)", {}, locals(), sort="tottime")
        return
    parts = {
        "find the headers": lambda: read_headers(headers),
        "check the signature": lambda: verifier.check(body, found),
        "read the event": lambda: parse(body),
        "verify: all of it": lambda: receiver.verify(body, headers),
        "(json.loads alone)": lambda: json.loads(body),
    }
    for name, best in best_us(parts).items():
        print(f"{name:24}{best:6.1f} µs")


if __name__ == "__main__":
    main()
