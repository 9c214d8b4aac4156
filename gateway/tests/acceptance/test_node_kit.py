"""The receiver kit for Node: its own tests, the package as a customer installs it, and what the gateway really
sends."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import gettempdir
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from gateway.tests.acceptance.client import Client
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.acceptance.receiver import Endpoint
from gateway.tests.npm import install
from gateway.tests.patience import ATTEMPT_TIMEOUT, LONG_PATIENCE

from signalpost.local.doctor.exam import examine
from signalpost.local.doctor.finding import ExamFinding, RuleVerdict
from signalpost.local.doctor.patient import Patient
from signalpost.local.poster import Poster
from signalpost_bench import postgres_server, redis_server

SECRET = "a secret of mine"
KIT = Path(__file__).parents[3] / "receiver-node"
pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path, given: str = "", given_env: Mapping[str, str] = MappingProxyType({})) -> str:
    environment = {**os.environ, **given_env}
    done = subprocess.run(
        command, cwd=cwd, input=given, env=environment, capture_output=True, text=True, timeout=LONG_PATIENCE
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-8000:]
    return done.stdout


@pytest.fixture(scope="module")
def built() -> Path:
    """The kit, compiled."""
    install(KIT)
    run("npm", "run", "--silent", "build", cwd=KIT)
    return KIT


@pytest.fixture(scope="module")
def consumer(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project outside this tree that installed the package, beside the frameworks that the kit is tested in."""
    folder = tmp_path_factory.mktemp("consumer")
    packed = json.loads(run("npm", "pack", "--json", "--ignore-scripts", f"--pack-destination={folder}", cwd=built))[0]
    names = {file["path"] for file in packed["files"]}
    assert {"README.md", "LICENSE", "dist/esm/index.js", "dist/cjs/index.js", "dist/esm/index.d.ts"} <= names
    assert not [name for name in names if name.startswith(("tests/", "node_modules/"))]
    shutil.copytree(KIT / "tests" / "consumer", folder, dirs_exist_ok=True)
    examples = re.findall(r"```ts\n(.*?)```", (KIT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    for number, example in enumerate(examples):
        (folder / f"readme_{number}.ts").write_text(example, encoding="utf-8")
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    run("npm", "install", "--offline", "--no-audit", "--no-fund", folder / packed["filename"], cwd=folder)
    for name in ("@types", "express", "fastify", "hono", "ioredis", "pg", "redis", "standardwebhooks", "@redis"):
        (folder / "node_modules" / name).symlink_to(KIT / "node_modules" / name)
    return folder


def test_its_own_tests_pass(built: Path) -> None:
    files = sorted(file.relative_to(KIT) for file in (KIT / "tests").glob("*.test.mjs"))
    assert len(files) > 3
    assert "# fail 0" in run("node", "--test", *files, cwd=built)


FRAMEWORKS = ("node:http", "Express", "Express with express.raw", "Fastify", "Lambda", "Hono")


@pytest.fixture(scope="module")
def served(built: Path) -> Iterator[dict[str, str]]:
    """A receiver in each framework, by its URL."""
    command = ["node", "tests/serve.mjs", SECRET]
    with subprocess.Popen(command, cwd=built, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield json.loads(process.stdout.readline())
        process.stdin.close()


async def examined(url: str, inspect: str) -> list[ExamFinding]:
    async with Poster(external=False, attempt_timeout=ATTEMPT_TIMEOUT) as poster:
        return [finding async for finding in examine(Patient(poster, url, SECRET, inspect, ATTEMPT_TIMEOUT))]


def test_the_doctor_finds_nothing_wrong_in_any_framework(served: dict[str, str]) -> None:
    assert set(served) == {*FRAMEWORKS, "inspect"}

    async def all_of_them() -> list[list[ExamFinding]]:
        inspected = {name: f"{served['inspect']}/{quote(name, safe='')}/{{externalId}}" for name in FRAMEWORKS}
        return await asyncio.gather(*(examined(served[name], inspected[name]) for name in FRAMEWORKS))

    found = dict(zip(FRAMEWORKS, asyncio.run(all_of_them()), strict=True))
    for name, findings in found.items():
        assert len(findings) > 10
        assert [(name, each.rule, each.seen) for each in findings if each.verdict is not RuleVerdict.KEPT] == []


def test_a_receiver_with_the_kit_passes_all_ten_cases_of_a_test_run(
    served: dict[str, str], gateways: Callable[..., GatewayProcess]
) -> None:
    url = served["Express"]
    gateway = gateways(allow=url.removesuffix("/webhooks"))
    subscription = gateway.api.subscribe(url, secret=SECRET)
    run = gateway.api.ask("POST", f"/v1/subscriptions/{subscription['id']}/test-run")
    assert [(each["name"], each["advice"]) for each in run["cases"] if each["verdict"] != "passed"] == []
    assert len(run["cases"]) == 10


@pytest.fixture(scope="module")
def compiled(consumer: Path) -> Path:
    """The consumer's typed program and the README's examples, compiled against the installed package."""
    assert len(list(consumer.glob("readme_*.ts"))) == 3
    run(KIT / "node_modules" / ".bin" / "tsc", "-p", "tsconfig.json", cwd=consumer)
    return consumer


def test_a_typed_program_and_the_readmes_examples_compile_against_the_installed_package(compiled: Path) -> None:
    assert (compiled / "out" / "typed.js").exists()


def test_the_stores_keep_their_rules_in_real_servers(built: Path) -> None:
    """In Redis with both of its clients, in PostgreSQL with many connections, in SQLite where Node has it."""
    run_id = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    package = postgres_server.NEWER
    with (
        postgres_server.share(Path(gettempdir(), f"{package}-of-tests-{run_id}"), package) as server,
        redis_server.serve() as redis_socket,
    ):
        name = f"node_{os.getpid()}"
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        servers = {"TEST_REDIS_SOCKET": str(redis_socket), "TEST_POSTGRES_URL": server.url(name)}
        told = run("node", "--test", "--test-reporter=tap", "tests/stores.test.mjs", cwd=built, given_env=servers)
    assert "# fail 0" in told
    assert {line.split(" # ")[0] for line in told.splitlines() if " # SKIP " in line} <= {"ok 5 - SqliteStore"}


def test_a_program_that_is_no_module_can_use_the_installed_package(consumer: Path) -> None:
    assert run("node", "use.cjs", cwd=consumer) == "true 401\n"


def test_the_installed_package_and_the_library_of_standard_webhooks_accept_what_the_gateway_sends(
    consumer: Path, api: Client, endpoint: Callable[..., Endpoint]
) -> None:
    """C19 to C21, before and during a rotation, with secrets and with public keys."""
    hook = endpoint()
    old = api.subscribe(hook.url, secret="an owner's own, ü", signWithKeyPair=True)

    def received(*shown: Any) -> Any:
        (event,) = api.events_of(api.create(title="Señor €"))
        request = hook.until_of(event["id"], 1)[0]
        return {
            "id": event["id"],
            "body": request.body.decode(),
            "headers": request.headers,
            "secrets": [*(each["secret"] for each in shown), *shown[-1]["publicKeys"]],
            "standardSecrets": [each["standardWebhooksSecret"] for each in shown],
        }

    before = received(old)
    new = api.ask("POST", f"/v1/subscriptions/{old['id']}/secret/rotate", None)
    requests = [before, received(old, new)]
    found = json.loads(run("node", "use.mjs", cwd=consumer, given=json.dumps(requests)))
    assert found == [{"ids": [request["id"]] * len(request["secrets"]), "title": "Señor €"} for request in requests]
