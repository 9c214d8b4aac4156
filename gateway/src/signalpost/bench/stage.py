"""Starts the parts of a benchmark, each on its core, and ends them."""

import datetime
import ipaddress
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from signalpost.bench.parts import Part, PartFailed
from signalpost.bench.workload import SECRET, Workload, bytes_in

READY_SECONDS = 20
STOP_SECONDS = 15
_SERVE = "from signalpost.cli.main import main; main()"
QUIET_SECONDS = 20.0
"""With no arrival for so long the sink waits no more for what is missing."""


class Cores:
    """The last core is for what is measured; the sink and the load have others where there are enough."""

    def __init__(self) -> None:
        cores = sorted(os.sched_getaffinity(0))
        self.measured = cores[-1]
        self.sink = cores[0]
        self.load = cores[1] if len(cores) > 2 else cores[0]


class Stage:
    """A sink that is there for the whole benchmark, and whatever is measured beside it."""

    def __init__(self, workload: Workload, *, tls: bool) -> None:
        self.workload = workload
        self._cores = Cores()
        self._open = ExitStack()
        self._tls = tls
        self.certificate: str | None = None

    def __enter__(self) -> Self:
        _allow_many_files()
        folder = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="signalpost-bench-")))
        if self._tls:
            self.certificate = str(_make_certificate(folder / "sink.pem"))
        self.sink = self._open.enter_context(Part("sink", self._cores.sink))
        self.port: int = self.sink.ask("listen", certificate=self.certificate)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def reference(self) -> Part:
        return Part("reference", self._cores.measured)

    def plain(self, workload: Workload, status: str = "active") -> Part:
        part = Part("plain", self._cores.measured)
        part.ask(
            "open",
            workload=msgspec.to_builtins(workload),
            url=self.url,
            certificate=self.certificate,
            status=status,
        )
        return part

    def gateway(self) -> "GatewayProcess":
        return GatewayProcess(self.url, self.certificate, self._cores.measured)

    def load(self, gateway: "GatewayProcess", workload: Workload) -> Part:
        part = Part("load", self._cores.load)
        part.ask("open", port=gateway.port, key=gateway.key, workload=msgspec.to_builtins(workload))
        part.ask("subscribe", url=self.url, secret=SECRET)
        part.ask("make_documents")
        return part

    def expect(self, deliveries: int) -> None:
        """Wait until so many deliveries came. Raises PartFailed if some are missing."""
        came = self.sink.ask("wait_for", count=deliveries, seconds=QUIET_SECONDS)
        if came != deliveries:
            raise PartFailed(f"{deliveries:,} deliveries were due and {came:,} came")

    def check(self, deliveries: int) -> dict[str, Any]:
        """What the sink found: everything came, once, verified, in order of each document. Raises PartFailed."""
        found: dict[str, Any] = self.sink.ask("check")
        wrong = {name: found[name] for name in ("repeated", "unverified", "disordered") if found[name]}
        if found["distinct"] != deliveries or wrong:
            raise PartFailed(f"{deliveries:,} deliveries were due; {found['distinct']:,} came, {wrong or 'none wrong'}")
        return found


class GatewayProcess:
    """`signalpost serve` on a new data directory."""

    def __init__(self, target: str, certificate: str | None, core: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="signalpost-bench-")
        self._data = Path(self._folder.name) / "data"
        options = ["--data-dir", str(self._data), "--port", "0", "--allow-targets", target, "--log-format", "json"]
        if certificate is not None:
            options += ["--ca-file", certificate]
        self._log = (Path(self._folder.name) / "log").open("wb")
        began = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", _SERVE, "serve", *options], stdout=subprocess.DEVNULL, stderr=self._log
        )
        os.sched_setaffinity(self._process.pid, {core})
        self.port = self._wait_until_ready()
        self.start_seconds = time.monotonic() - began
        self.key = (self._data / "operator-key").read_text().strip()

    def _wait_until_ready(self) -> int:
        address = self._data / "address"
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            try:
                url = address.read_text().strip()
                with urllib.request.urlopen(f"{url}/health/ready", timeout=1):  # noqa: S310 - its own address
                    return int(url.rsplit(":", 1)[1])
            except (OSError, urllib.error.URLError):
                time.sleep(0.005)
        self.stop()
        raise PartFailed("the gateway did not start")

    def usage(self) -> dict[str, float]:
        """CPU seconds so far, the most memory ever, bytes on disk."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        ticks = int(fields[11]) + int(fields[12])
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
        return {"cpu": ticks / os.sysconf("SC_CLK_TCK"), "memory": peak, "disk": bytes_in(self._data)}

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _allow_many_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(65_536, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def _make_certificate(file: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, good for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Signalpost bench")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file.write_bytes(certificate.public_bytes(pem) + key.private_bytes(pem, private, serialization.NoEncryption()))
    return file
