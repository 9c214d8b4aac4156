"""Feeds the receiver kit whatever libFuzzer finds, for as long as it is told: see `make fuzz-receiver`.

The first byte of an input says whether the rest is a body that is signed, or headers and a body that are not.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["signalpost_receiver", "json"]):
    from receiver.tests.totality import assert_forged, assert_signed

from receiver.tests.requests import event_body, signed

SIGNED, PAGE_ONLY, FORGED = range(3)


def one_input(data: bytes) -> None:
    kind, rest = data[0] % 3 if data else FORGED, data[1:]
    if kind != FORGED:
        assert_signed(rest, page_only=kind == PAGE_ONLY)
        return
    head, _, body = rest.partition(b"\n\n")
    assert_forged(body, [tuple(line.partition(b": ")[::2]) for line in head.split(b"\n")])


def main() -> None:
    folder = Path(sys.argv[1])
    found, seeds = folder / "corpus", folder / "seeds"
    found.mkdir(parents=True, exist_ok=True)
    seeds.mkdir(parents=True, exist_ok=True)
    body = event_body()
    lines = "\n".join(f"{name}: {value}" for name, value in signed(b'{"id": "another"}').items())
    for number, seed in enumerate((bytes([SIGNED]) + body, bytes([PAGE_ONLY]) + body)):
        (seeds / f"seed-{number}").write_bytes(seed)
    (seeds / "seed-forged").write_bytes(bytes([FORGED]) + lines.encode() + b"\n\n" + body)
    options = [f"-artifact_prefix={folder}/", "-max_len=20000"]
    atheris.Setup([sys.argv[0], str(found), str(seeds), *options, *sys.argv[2:]], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
