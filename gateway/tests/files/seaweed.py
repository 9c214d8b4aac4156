"""A real S3-compatible server on loopback: SeaweedFS, from the package registry. It refuses links that have expired."""

import http.client
import json
import subprocess
import sys
import time
from pathlib import Path

import obstore
from gateway.tests.patience import PATIENCE
from obstore.exceptions import BaseError
from obstore.store import S3Store

from signalpost_bench.free_port import free_port

WEED = Path(sys.executable).with_name("weed")
KEY, SECRET, REGION = "AKIDFORTESTS", "a-secret-for-tests-4c1f", "us-east-1"
GRPC = 10_000
"""What SeaweedFS adds to each of its ports for a second one."""


class Seaweed:
    """One server."""

    def __init__(self, folder: Path) -> None:
        self.port, filer, master, volume = (free_port(GRPC) for _ in range(4))
        self.endpoint = f"http://127.0.0.1:{self.port}"
        keys = folder / "keys.json"
        keys.write_text(
            json.dumps(
                {
                    "identities": [
                        {
                            "name": "tests",
                            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
                            "actions": ["Admin", "Read", "Write", "List"],
                        }
                    ]
                }
            )
        )
        data = folder / "data"
        data.mkdir()
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [WEED, "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-master.port={master}",
             f"-volume.port={volume}", "-volume.max=20", "-master.volumeSizeLimitMB=64", "-filer",
             f"-filer.port={filer}", "-s3", f"-s3.port={self.port}", f"-s3.config={keys}", "-s3.port.iceberg=0",
             "-s3.port.lance=0", "-master.telemetry=false"],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, cwd=folder,
        )  # fmt: skip
        try:
            self._wait(folder)
        except BaseException:
            self.stop()
            raise

    @property
    def environment(self) -> dict[str, str]:
        """How a gateway finds it."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
        }

    def stop(self) -> None:
        """At once: nothing of it is wanted any more."""
        self._process.kill()
        self._process.wait()
        self._log.close()

    def make_bucket(self, name: str) -> None:
        """Put a first object into a bucket, which makes it."""
        store = S3Store(
            name, access_key_id=KEY, secret_access_key=SECRET, region=REGION, endpoint=self.endpoint,
            client_options={"allow_http": True},
        )  # fmt: skip
        obstore.put(store, "first", b"x")

    def _wait(self, folder: Path) -> None:
        """Until an object can be written: the parts of it find each other some time after they listen."""
        deadline = time.monotonic() + PATIENCE
        while True:
            assert self._process.poll() is None, (folder / "log").read_text()[-4000:]
            try:
                self._answers()
                self.make_bucket("tests")
            except (OSError, BaseError):
                assert time.monotonic() < deadline, (folder / "log").read_text()[-4000:]
                time.sleep(0.2)
            else:
                return

    def _answers(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
        finally:
            connection.close()
