"""A key that is rotated while a connector runs."""

import asyncio
import sys
from pathlib import Path

import httpx
import pytest

from signalpost_connect.config import Secret
from signalpost_connect.gateway_key import RotatedKey


class Gateway(httpx.AsyncBaseTransport):
    """Lets one key in."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.asked: list[tuple[str, bytes]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((request.headers["authorization"].removeprefix("Bearer "), await request.aread()))
        return httpx.Response(200 if self.asked[-1][0] == self.key else 401)


def statuses(gateway: Gateway, secret: Secret, *bodies: bytes) -> list[int]:
    """What is answered to requests that are made with the key that the connector began with."""

    async def run() -> list[int]:
        async with httpx.AsyncClient(transport=gateway, auth=RotatedKey(secret, "first")) as http:
            return [(await http.post("http://gateway/", content=body)).status_code for body in bodies]

    return asyncio.run(run())


def test_a_key_that_is_refused_is_read_again_and_the_call_made_again(tmp_path: Path) -> None:
    file, gateway = tmp_path / "key", Gateway("second")
    file.write_text("second\n")
    assert statuses(gateway, Secret(file=str(file)), b"one", b"two") == [200, 200]
    assert gateway.asked == [("first", b"one"), ("second", b"one"), ("second", b"two")]


def test_a_key_that_is_still_the_refused_one_is_not_tried_twice(tmp_path: Path) -> None:
    file, gateway = tmp_path / "key", Gateway("second")
    file.write_text("first")
    assert statuses(gateway, Secret(file=str(file)), b"one", b"two") == [401, 401]
    assert len(gateway.asked) == 2


def test_a_key_that_cannot_be_read_leaves_the_refusal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    gateway = Gateway("second")
    assert statuses(gateway, Secret(file=str(tmp_path / "gone")), b"one") == [401]
    assert "gateway.key: the file" in caplog.text


def test_a_key_that_no_header_can_hold_is_not_sent(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file, gateway = tmp_path / "key", Gateway("second")
    file.write_text("sec\nond")
    assert statuses(gateway, Secret(file=str(file)), b"one") == [401]
    assert len(gateway.asked) == 1
    assert "gateway.key: " in caplog.text
    assert "ond" not in caplog.text.replace("second", "")


def test_a_command_can_give_the_key() -> None:
    gateway = Gateway("second")
    assert statuses(gateway, Secret(command=(sys.executable, "-c", "print('second')")), b"one") == [200]


def test_a_secret_is_in_one_place(tmp_path: Path) -> None:
    for secret in (Secret(), Secret(env="KEY", command=("true",)), Secret(command=())):
        with pytest.raises(ValueError, match=r"say one of .* command = "):
            secret.read()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("print('hunter2'); raise SystemExit(3)", "ended with 3"),
        ("print()", "printed nothing"),
        ("import sys; sys.stdout.buffer.write(b'hunter2' + bytes([255]))", "printed what is no text"),
    ],
)
def test_a_command_that_gives_no_secret_is_said_without_what_it_printed(code: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as raised:
        Secret(command=(sys.executable, "-c", code)).read()
    assert "hunter2" not in str(raised.value)


def test_a_command_that_is_not_there_is_said() -> None:
    with pytest.raises(ValueError, match="the command /nowhere cannot be run"):
        Secret(command=("/nowhere",)).read()
