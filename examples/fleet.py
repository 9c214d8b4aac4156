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
        for port, gateway in zip(PORTS, gateways, strict=True):
            print(
                f"Gateway {gateway.pid} is at http://127.0.0.1:{port}, its console at http://127.0.0.1:{port}/console"
            )
        print(f"For both: export SIGNALPOST_URL=http://127.0.0.1:{PORTS[0]} SIGNALPOST_KEY={operator_key}")
        print(f"kill {gateways[0].pid}   # its lanes move to the other gateway. Ctrl-C stops everything.", flush=True)
        with suppress(KeyboardInterrupt):
            for gateway in gateways:
                gateway.wait()
        for gateway in gateways:
            gateway.send_signal(signal.SIGTERM)
        for gateway in gateways:
            gateway.wait()
    return 0


def start(port: int, shared: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603
        [COMMAND, "serve", "--port", str(port), "--log-level", "warning"],
        env=os.environ | shared,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for this program, which then ends them
    )


if __name__ == "__main__":
    sys.exit(main())
