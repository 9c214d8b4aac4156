"""The verifiers in examples/receivers/ tell genuine requests from forged ones, in each language that is on this machine
(C19 to C21)."""

import hashlib
import hmac
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from gateway.tests.authorities import environment_of_machine
from gateway.tests.patience import LONG_PATIENCE

from signalpost_receiver import Signer

ROOT = Path(__file__).parents[2]
VERIFIERS, RECEIVER = ROOT / "examples" / "receivers", ROOT / "receiver"
PAGE, STANDARD = "plexus-webhook-signature", "webhook-signature"
pytestmark = pytest.mark.slow


class Language(NamedTuple):
    needs: tuple[str, ...]
    """The programs without which its verifier is skipped."""
    command: Callable[[Path], list[str | Path]]
    """What runs the verifier. It may compile it first, into the given folder."""


def _script(*command: str, file: str) -> Callable[[Path], list[str | Path]]:
    return lambda _folder: [*command, VERIFIERS / file]


def _compiled(
    compiler: Callable[[Path], list[str | Path]], *command: str, file: str
) -> Callable[[Path], list[str | Path]]:
    def compile_it(folder: Path) -> list[str | Path]:
        done = subprocess.run(compiler(folder), capture_output=True, text=True, timeout=LONG_PATIENCE)
        assert done.returncode == 0, done.stderr
        return [*command, folder / file]

    return compile_it


def _java(folder: Path) -> list[str | Path]:
    subprocess.run(["javac", "-d", folder, VERIFIERS / "java" / "Verify.java"], check=True, timeout=LONG_PATIENCE)
    return ["java", "-cp", folder, "Verify"]


def _rust(folder: Path) -> list[str | Path]:
    crate = shutil.copytree(VERIFIERS / "rust", folder / "crate")  # cargo writes its lock beside the sources
    fetched = subprocess.run(
        ["cargo", "fetch", "--quiet"],
        cwd=crate,
        env=environment_of_machine(),
        capture_output=True,
        timeout=LONG_PATIENCE,
    )
    if fetched.returncode != 0:
        pytest.skip("the crates that the verifier needs cannot be fetched")
    subprocess.run(["cargo", "build", "--quiet", "--offline"], cwd=crate, check=True, timeout=LONG_PATIENCE)
    return [crate / "target" / "debug" / "verify"]


LANGUAGES = {
    "bash": Language(("bash", "openssl"), _script("bash", file="bash/verify.sh")),
    "python": Language((), _script(sys.executable, file="python/verify.py")),
    "node": Language(("node",), _script("node", file="node/verify.mjs")),
    "go": Language(
        ("go",), _compiled(lambda to: ["go", "build", "-o", to / "verify", VERIFIERS / "go/verify.go"], file="verify")
    ),
    "java": Language(("java", "javac"), _java),
    "csharp": Language(
        ("mcs", "mono"),
        _compiled(
            lambda to: ["mcs", f"-out:{to}/verify.exe", VERIFIERS / "csharp/Verify.cs"], "mono", file="verify.exe"
        ),
    ),
    "ruby": Language(("ruby",), _script("ruby", file="ruby/verify.rb")),
    "php": Language(("php",), _script("php", file="php/verify.php")),
    "rust": Language(("cargo",), _rust),
    "elixir": Language(("elixir",), _script("elixir", file="elixir/verify.exs")),
}


SECRET = "a secret of mine"


class Request(NamedTuple):
    headers: dict[str, str]
    secrets: tuple[str, ...]
    body: bytes


def _vector(case: dict[str, Any]) -> Request:
    return Request({name.lower(): value for name, value in case["headers"]}, case["secrets"], case["body"].encode())


GENUINE_VECTORS = (
    "with a token that was made",
    "the page's signature alone",
    "rotation, standard alone: the receiver has the new",
    "rotation, page alone: the receiver has the both, new first",
)
FORGED_VECTORS = (
    "a body that was parsed and encoded again",
    "another secret, page alone",
)
VECTORS = {
    case["name"]: _vector(case)
    for case in json.loads((RECEIVER / "vectors" / "requests.json").read_text(encoding="utf-8"))["cases"]
    if case["name"] in GENUINE_VECTORS + FORGED_VECTORS
}
BODY = b"{}\r\n\0"
GENUINE = {name: VECTORS[name] for name in GENUINE_VECTORS} | {
    "bytes that are no text": Request({PAGE: Signer(SECRET).page_signature(BODY)}, (SECRET,), BODY)
}
FORGED = {name: VECTORS[name] for name in FORGED_VECTORS} | {
    "headers that no gateway sends": Request({PAGE: "é" * 64, STANDARD: "v1,é v1, v2,x "}, (SECRET,), BODY),
    "the receiver has no secret": Request({PAGE: hmac.new(b"", BODY, hashlib.sha512).hexdigest()}, ("",), BODY),
}


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_verifier_tells_genuine_requests_from_forged_ones(name: str, tmp_path: Path) -> None:
    language = LANGUAGES[name]
    missing = [program for program in language.needs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not on this machine")
    command = language.command(tmp_path)
    answers = {what: _run(command, request) for what, request in {**GENUINE, **FORGED}.items()}
    assert answers == {**dict.fromkeys(GENUINE, (0, "genuine", "")), **dict.fromkeys(FORGED, (1, "forged", ""))}


def _run(command: list[str | Path], request: Request) -> tuple[int, str, str]:
    variables = dict(zip(("SIGNALPOST_SECRET", "SIGNALPOST_NEXT_SECRET"), request.secrets, strict=False))
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items()}
    environment = {**os.environ, **headers, **variables}
    done = subprocess.run(command, input=request.body, env=environment, capture_output=True, timeout=LONG_PATIENCE)
    return done.returncode, done.stdout.decode().strip(), done.stderr.decode()
