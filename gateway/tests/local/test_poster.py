"""How the local tools reach a receiver."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

import pytest
from gateway.tests.fakes.connect_proxy import ConnectProxy
from gateway.tests.local.recording_receiver import RecordingReceiver

from signalpost.destinations.webhook import RequestKind, Webhook
from signalpost.domain.errors import StartError
from signalpost.local.direct_delivery import endpoint, event_of
from signalpost.local.poster import NotLocal, Poster

SECRET = "a secret of mine"


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[ConnectProxy]:
    with ConnectProxy() as proxy:
        monkeypatch.setenv("SIGNALPOST_EGRESS_PROXY", f"http://127.0.0.1:{proxy.port}")
        yield proxy


async def post(url: str, *, external: bool) -> int | None:
    event = event_of(b"{}", "an-id", "a-document", 1)
    async with Poster(external=external) as poster:
        request = Webhook(endpoint(url, SECRET)).prepare(event, 1, RequestKind.DELIVERY, 0)
        return (await poster.post(request)).status


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("external", [False, True])
def test_this_machine_is_called_without_a_proxy(proxy: ConnectProxy, host: str, *, external: bool) -> None:
    with closing(RecordingReceiver()) as receiver:
        assert asyncio.run(post(f"http://{host}:{receiver.port}/", external=external)) == 204
    assert proxy.asked == []


def test_another_machine_is_called_through_the_operators_proxy(proxy: ConnectProxy) -> None:
    """Linux takes 0.0.0.0 for this machine, where nothing answers: so no request of a test leaves it."""
    assert asyncio.run(post("http://0.0.0.0:9/", external=True)) is None
    assert proxy.targets == ["0.0.0.0:9"]


@pytest.mark.parametrize(
    "url", ["https://93.184.215.14/", "http://10.0.0.1:9/", "https://shop.example/", "http://shop.example:9/"]
)
def test_what_leads_to_another_machine_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(NotLocal, match="--allow-external"):
        asyncio.run(check(url, {"shop.example": ["93.184.215.14"]}))


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "http://[::1]:9/", "https://laptop.example/", "http://later/"])
def test_what_leads_here_passes_and_so_does_a_name_without_an_address_yet(url: str) -> None:
    asyncio.run(check(url, {"laptop.example": ["127.0.0.1", "::1"]}))


async def check(url: str, known: Mapping[str, Sequence[str]]) -> None:
    async def resolve(host: str, _port: int) -> Sequence[str]:
        if host not in known:
            raise OSError(host)
        return known[host]

    async with Poster(external=False, resolve=resolve) as poster:
        await poster.check(url)


def test_a_proxy_that_cannot_be_read_is_refused_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALPOST_EGRESS_PROXY", "socks://me:topsecret@proxy:1080")
    with pytest.raises(StartError, match="SIGNALPOST_EGRESS_PROXY must be http://") as caught:
        Poster(external=True)
    assert "topsecret" not in str(caught.value)
