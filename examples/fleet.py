"""A fleet on this machine: one PostgreSQL from a package, two gateways on it, until Ctrl-C. `make serve-fleet`.

Everything is in a folder that is removed at the end. To see lanes move, stop one of the gateways by the number of its
process, which is shown: the other one goes on with what it did.
"""

import base64
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from signalpost_bench import postgres_server

PORTS = (8080, 8081)
COMMAND = Path(sys.executable).with_name("signalpost")


def main() -> int:
    operator_key = f"sp_{secrets.token_urlsafe(32)}"
    with postgres_server.running() as server, TemporaryDirectory(prefix="signalpost-fleet-") as folder:
        shared = {
            "SIGNALPOST_DATABASE_URL": server.loopback_url(),
            "SIGNALPOST_DATA_DIR": folder,  # the files of documents, which gateways on one machine can share
            "SIGNALPOST_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
            "SIGNALPOST_OPERATOR_KEY": operator_key,
            "SIGNALPOST_PUBLIC_URL": f"http://127.0.0.1:{PORTS[0]}",
        }
        gateways = [start(port, shared) for port in PORTS]
        try:
            if all(until_ready(port, gateway) for port, gateway in zip(PORTS, gateways, strict=True)):
                tell(gateways, operator_key)
                for gateway in gateways:
                    gateway.wait()
            return 1  # a gateway did not start, or none is left; it has said why
        except KeyboardInterrupt:
            return 0
        finally:
            stop(gateways)


def start(port: int, shared: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603
        [COMMAND, "serve", "--port", str(port), "--log-level", "warning"],
        env=os.environ | shared,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for this program, which then ends them
    )


def until_ready(port: int, gateway: "subprocess.Popen[bytes]") -> bool:
    """Returns whether it is ready; otherwise it has ended."""
    while gateway.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5):
            return True
        time.sleep(0.1)
    return False


def tell(gateways: "list[subprocess.Popen[bytes]]", operator_key: str) -> None:
    for port, gateway in zip(PORTS, gateways, strict=True):
        print(f"Gateway {gateway.pid} is at http://127.0.0.1:{port}")
    print("In another terminal:")
    print(f"  export SIGNALPOST_URL=http://127.0.0.1:{PORTS[0]} SIGNALPOST_KEY={operator_key}")
    print(f"  {COMMAND} nodes      # both gateways, and what each delivers")
    print(f"  {COMMAND} console    # a link into the console")
    print(f"  kill {gateways[1].pid}    # its lanes move to the other gateway")
    print("Ctrl-C stops everything.", flush=True)


def stop(gateways: "list[subprocess.Popen[bytes]]") -> None:
    for gateway in gateways:
        gateway.send_signal(signal.SIGTERM)
    for gateway in gateways:
        gateway.wait()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it stops everything, as Ctrl-C does
    sys.exit(main())
