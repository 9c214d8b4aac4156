"""What a bucket alone can do to an upload: hang."""

import asyncio
import gc
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from gateway.tests.files.conftest import PDF, Cabinet, stored
from gateway.tests.patience import PATIENCE

from signalpost.domain.errors import StartError, WrongSetting
from signalpost.files.bucket import PUT_SECONDS, Bucket, check_endpoint
from signalpost.files.folder import Folder
from signalpost.sender.tls_context import tls_context


def test_an_upload_to_a_bucket_that_hangs_ends_when_it_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the file nor its thread are held any longer: a gateway's stop does not wait for a bucket."""
    with socket.create_server(("127.0.0.1", 0)) as hung:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{hung.getsockname()[1]}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
            monkeypatch.setenv(name, "x")
        connected = threading.Event()
        threading.Thread(target=_accept, args=(hung, connected)).start()

        async def scenario() -> None:
            unheard: list[object] = []
            asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unheard.append(context))
            drafts = Folder(tmp_path / "drafts", ThreadPoolExecutor(1), os.urandom)
            bucket = Bucket("s3://any", drafts, ThreadPoolExecutor(1), tls_context(None))
            uploading = asyncio.create_task(_upload(Cabinet(bucket, tmp_path)))
            assert await asyncio.to_thread(connected.wait, PATIENCE)
            uploading.cancel()
            async with asyncio.timeout(PUT_SECONDS / 2):
                with pytest.raises(asyncio.CancelledError):
                    await uploading
                await bucket.close()
            assert list((tmp_path / "drafts").iterdir()) == []
            del uploading
            gc.collect()
            assert unheard == []

        asyncio.run(scenario())


def test_an_endpoint_with_a_password_in_it_is_refused_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every download link would lead to it, and every error say it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://somebody:canary@127.0.0.1:1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "x")

    async def scenario() -> None:
        drafts = Folder(tmp_path / "drafts", ThreadPoolExecutor(1), os.urandom)
        bucket = Bucket("s3://any", drafts, ThreadPoolExecutor(1), tls_context(None))
        with pytest.raises(StartError, match="AWS_ENDPOINT_URL") as caught:
            await bucket.check()
        assert "canary" not in str(caught.value)
        await bucket.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT"])
@pytest.mark.parametrize(
    "malformed", ["", "no url", "127.0.0.1:9000", "ftp://a", "http://", "http://a:99999", "http://[::1", "http://a b/"]
)
def test_a_malformed_endpoint_is_told_with_its_variable(name: str, malformed: str) -> None:
    with pytest.raises(WrongSetting, match=rf"^{name} must be http\(s\)://host"):
        check_endpoint({name: malformed})


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:9000", "https://[::1]:9000/below", "https://minio", "https://s3.eu-1.example.com/"]
)
def test_an_endpoint_may_be_any_server_that_speaks_http(endpoint: str) -> None:
    check_endpoint({"AWS_ENDPOINT_URL": endpoint})


async def _upload(cabinet: Cabinet) -> None:
    async with cabinet.files.upload() as upload:
        await upload.write(PDF)
        await upload.store(await stored(upload), "a.pdf")


def _accept(listener: socket.socket, connected: threading.Event) -> None:
    """Takes a request, and never answers."""
    connection, _ = listener.accept()
    with connection:
        connection.recv(1)
        connected.set()
        while connection.recv(65536):
            pass
