"""The samples in examples/receivers/ tell genuine requests from forged ones, in every language that is on this machine
(C19 to C21)."""

import hashlib
import hmac
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from gateway.tests.patience import PATIENCE

from signalpost_receiver import Signer

SAMPLES = Path(__file__).parents[2] / "examples" / "receivers"
pytestmark = pytest.mark.slow


class Language(NamedTuple):
    needs: tuple[str, ...]
    """The programs without which its sample is skipped."""
    command: Callable[[Path], list[str | Path]]
    """What runs the sample. It may compile it first, into the given folder."""


def _script(*command: str, file: str) -> Callable[[Path], list[str | Path]]:
    return lambda _folder: [*command, SAMPLES / file]


def _compiled(
    compiler: Callable[[Path], list[str | Path]], *command: str, file: str
) -> Callable[[Path], list[str | Path]]:
    def compile_it(folder: Path) -> list[str | Path]:
        done = subprocess.run(compiler(folder), capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        return [*command, folder / file]

    return compile_it


def _java(folder: Path) -> list[str | Path]:
    subprocess.run(["javac", "-d", folder, SAMPLES / "java" / "Verify.java"], check=True, timeout=PATIENCE)
    return ["java", "-cp", folder, "Verify"]


def _rust(folder: Path) -> list[str | Path]:
    crate = shutil.copytree(SAMPLES / "rust", folder / "crate")  # cargo writes its lock beside the sources
    if subprocess.run(["cargo", "fetch", "--quiet"], cwd=crate, capture_output=True, timeout=PATIENCE).returncode != 0:
        pytest.skip("the crates that the sample needs cannot be fetched")
    subprocess.run(["cargo", "build", "--quiet", "--offline"], cwd=crate, check=True, timeout=PATIENCE)
    return [crate / "target" / "debug" / "verify"]


LANGUAGES = {
    "bash": Language(("bash", "openssl"), _script("bash", file="bash/verify.sh")),
    "python": Language((), _script(sys.executable, file="python/verify.py")),
    "node": Language(("node",), _script("node", file="node/verify.mjs")),
    "go": Language(
        ("go",), _compiled(lambda to: ["go", "build", "-o", to / "verify", SAMPLES / "go/verify.go"], file="verify")
    ),
    "java": Language(("java", "javac"), _java),
    "csharp": Language(
        ("mcs", "mono"),
        _compiled(lambda to: ["mcs", f"-out:{to}/verify.exe", SAMPLES / "csharp/Verify.cs"], "mono", file="verify.exe"),
    ),
    "ruby": Language(("ruby",), _script("ruby", file="ruby/verify.rb")),
    "php": Language(("php",), _script("php", file="php/verify.php")),
    "rust": Language(("cargo",), _rust),
    "elixir": Language(("elixir",), _script("elixir", file="elixir/verify.exs")),
}


BODY = '{"title":"Café €","nul":"\\u0000"}\r\n'.encode()
OLD, NEW, OTHER = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "an owner's own sécret", "whsec_" + "A" * 43 + "="
PAGE, STANDARD = "HTTP_PLEXUS_WEBHOOK_SIGNATURE", "HTTP_WEBHOOK_SIGNATURE"


def _standard(*secrets: str) -> dict[str, str]:
    entries = [Signer(secret).standard_signature("an-event", 1767225600, BODY) for secret in secrets]
    return {"HTTP_WEBHOOK_ID": "an-event", "HTTP_WEBHOOK_TIMESTAMP": "1767225600", STANDARD: " ".join(entries)}


SIGNED = {PAGE: Signer(OLD).page_signature(BODY)}
ROTATING = {**SIGNED, **_standard(OLD, NEW)}


class Request(NamedTuple):
    headers: dict[str, str]
    secrets: tuple[str, ...]
    body: bytes = BODY


GENUINE = {
    "signed": Request(SIGNED, (OLD,)),
    "signed with both secrets, the receiver has only the new one": Request(ROTATING, (NEW,)),
    "signed with the second of the receiver's secrets": Request(_standard(OLD), (OTHER, OLD)),
}
FORGED = {
    "the body was changed": Request(ROTATING, (OLD, NEW), BODY + b" "),
    "another secret": Request(ROTATING, (OTHER,)),
    "headers that no gateway sends": Request({PAGE: "é" * 64, STANDARD: "v1,é v1, v2,x "}, (OLD,)),
    "the receiver has no secret": Request({PAGE: hmac.new(b"", BODY, hashlib.sha512).hexdigest()}, ("",)),
}


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_sample_tells_genuine_requests_from_forged_ones(name: str, tmp_path: Path) -> None:
    language = LANGUAGES[name]
    missing = [program for program in language.needs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not on this machine")
    command = language.command(tmp_path)
    answers = {what: _run(command, request) for what, request in {**GENUINE, **FORGED}.items()}
    assert answers == {**dict.fromkeys(GENUINE, (0, "genuine", "")), **dict.fromkeys(FORGED, (1, "forged", ""))}


def _run(command: list[str | Path], request: Request) -> tuple[int, str, str]:
    variables = dict(zip(("SIGNALPOST_SECRET", "SIGNALPOST_NEXT_SECRET"), request.secrets, strict=False))
    environment = {**os.environ, **request.headers, **variables}
    done = subprocess.run(command, input=request.body, env=environment, capture_output=True, timeout=PATIENCE)
    return done.returncode, done.stdout.decode().strip(), done.stderr.decode()
