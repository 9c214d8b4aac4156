"""Feeds the sender's reading of answers whatever libFuzzer finds, for as long as it is told: see `make fuzz-sender`.

The first bytes of an input say where the rest is cut and how the connection ends; the rest is the answer.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["signalpost", "h11"]):
    from gateway.tests.sender.exchanges import assert_laws

LOSSES = (None, ConnectionResetError(), OSError())
TOKENS = (
    "HTTP/1.1 200 OK\r\n", "HTTP/1.1 103 \r\n\r\n", "HTTP/1.1 100 \r\n\r\n", "HTTP/1.1 204 \r\n", "HTTP/1.0 503 \r\n",
    "HTTP/1.1 304 \r\n", "\r\n\r\n", "\r\n", "\n", "content-length: ", "Content-Length: 2\r\n",
    "transfer-encoding: chunked\r\n", "transfer-encoding: gzip, chunked\r\n", "connection: close\r\n",
    "connection: keep-alive\r\n", "connection: upgrade\r\n", "upgrade: h2c\r\n", "retry-after: 1\r\n", "0\r\n\r\n",
    "1\r\na\r\n", ";x=\"y\"", "trailer: x\r\n", "\x00", "chunked", "close",
)  # fmt: skip


def one_input(data: bytes) -> None:
    provider = atheris.FuzzedDataProvider(data)
    loss = LOSSES[provider.ConsumeIntInRange(0, len(LOSSES) - 1)]
    cuts = [provider.ConsumeIntInRange(0, 600) for _ in range(provider.ConsumeIntInRange(0, 4))]
    stream = provider.ConsumeBytes(provider.remaining_bytes())
    repeat = 1
    if len(stream) > 2 and stream[:1] == b"\xff":
        repeat, stream = 1 + stream[1] * 8, stream[2:]
    assert_laws(stream * repeat, cuts, loss)


def main() -> None:
    folder = Path(sys.argv[1])
    found, seeds = folder / "corpus", folder / "seeds"
    found.mkdir(parents=True, exist_ok=True)
    seeds.mkdir(parents=True, exist_ok=True)
    (folder / "tokens").write_text(
        "".join('"' + "".join(f"\\x{byte:02x}" for byte in token.encode()) + '"\n' for token in TOKENS)
    )
    for number, answer in enumerate(SEEDS):
        (seeds / f"seed-{number}").write_bytes(answer + bytes(4))
    options = [f"-dict={folder / 'tokens'}", f"-artifact_prefix={folder}/", "-max_len=70000", "-len_control=20"]
    atheris.Setup([sys.argv[0], str(found), str(seeds), *options, *sys.argv[2:]], one_input)
    atheris.Fuzz()


HEAD = b"HTTP/1.1 200 OK\r\n"
SEEDS = (
    HEAD + b"content-length: 2\r\n\r\nok",
    HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    HEAD + b"transfer-encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nname: value\r\n\r\n",
    HEAD + b"\r\nuntil the end",
    b"HTTP/1.1 103 Early\r\nlink: <a>\r\n\r\n" + HEAD + b"content-length: 0\r\n\r\n",
    b"HTTP/1.1 204 None\r\n\r\n",
    b"HTTP/1.1 304 Same\r\ncontent-length: 9\r\n\r\n",
    b"HTTP/1.1 429 Slow\r\nretry-after: 3\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 101 Switch\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\na",
)

if __name__ == "__main__":
    main()
