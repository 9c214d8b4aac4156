"""The programs of the guide and of the READMEs do what is said of them."""

import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from client.tests import node_client
from client.tests.test_cases import snapshot
from gateway.tests.acceptance.client import until
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.patience import PATIENCE

from signalpost_client import errors

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "call-the-api.md").read_text(encoding="utf-8")


def program(language: str) -> str:
    """The guide's first program in a language, of some thirty lines."""
    text: str = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)[0]
    assert len([line for line in text.splitlines() if line]) <= 30
    return text


def goes_on_where_it_was(command: list[str | Path], folder: Path, gateway: GatewayProcess) -> None:
    """Run a program of the guide twice, and stop it in between."""
    executed = [{**snapshot("guide", number, str(uuid.uuid4())), "status": "executed"} for number in (1, 2)]
    wrong = {**snapshot("guide", 3), "ownerEmail": "nobody"}
    url = "http://{}:{}".format(*gateway.address)
    settings = os.environ | {"SIGNALPOST_URL": url, "SIGNALPOST_KEY": gateway.operator_key}
    kept: list[set[str]] = []
    for lines, new in (([executed[0], wrong], executed[0]), (executed, executed[1])):
        (folder / "contracts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        with (folder / "printed").open("wb") as printed:
            running = subprocess.Popen([*command, folder], env=settings, stdout=printed, stderr=printed)
            try:
                until((folder / str(new["externalId"])).exists, lambda: (folder / "printed").read_text())
                until(lambda: "cannot be signed" in (folder / "printed").read_text())
            finally:
                running.terminate()
                running.wait(PATIENCE)
        kept.append(names(folder))
    said = (folder / "printed").read_text()
    assert "It cannot be signed yet. Allowed: requestReview" in said
    assert kept[1] - kept[0] == {executed[1]["externalId"]}


def names(folder: Path) -> set[Any]:
    return {file.name for file in folder.iterdir()} - {"contracts.jsonl", "printed", "seen"}


def test_the_program_in_python_keeps_a_folder_and_goes_on_where_it_was(tmp_path: Path, gateway: GatewayProcess) -> None:
    file, folder = tmp_path / "program.py", tmp_path / "folder"
    folder.mkdir()
    file.write_text(program("python"))
    goes_on_where_it_was([sys.executable, file], folder, gateway)


@pytest.fixture(scope="module")
def consumer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project outside this tree that installed the package for Node."""
    built, folder = node_client.built(), tmp_path_factory.mktemp("consumer")
    pack = ("npm", "pack", "--json", "--ignore-scripts", f"--pack-destination={folder}")
    packed = json.loads(node_client.run(*pack, cwd=built))[0]
    names = {file["path"] for file in packed["files"]}
    assert {"README.md", "LICENSE", "dist/esm/index.js", "dist/esm/index.d.ts"} <= names
    assert not [name for name in names if name.startswith(("tests/", "node_modules/"))]
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    how = ("--offline", "--no-audit", "--no-fund")
    node_client.run("npm", "install", *how, folder / packed["filename"], cwd=folder)
    (folder / "program.ts").write_text(program("ts"))
    readme = (ROOT / "client-node" / "README.md").read_text(encoding="utf-8")
    for number, example in enumerate(re.findall(r"```ts\n(.*?)```", readme, re.DOTALL)):
        (folder / f"readme_{number}.ts").write_text(example)
    (folder / "ambient.d.ts").write_text(_OF_NODE)
    options = {"strict": True, "target": "es2022", "module": "nodenext", "lib": ["es2022", "dom"], "types": []}
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": {**options, "skipLibCheck": False}}))
    node_client.run(built / "node_modules" / ".bin" / "tsc", "-p", ".", cwd=folder)
    return folder


_OF_NODE = """
declare const process: { argv: string[]; env: Record<string, string | undefined> };
declare module "node:fs" {
  export function createReadStream(path: string): unknown;
  export function existsSync(path: string): boolean;
  export function readFileSync(path: string, encoding: string): string;
  export function writeFileSync(path: string, text: string): void;
}
declare module "node:path" { export function join(...parts: string[]): string; }
declare module "node:readline" {
  export function createInterface(given: { input: unknown }): AsyncIterable<string>;
}
"""
"""The part of Node's types that the program uses. The client needs none of them."""


def test_the_program_in_typescript_keeps_a_folder_and_goes_on_where_it_was(
    tmp_path: Path, consumer: Path, gateway: GatewayProcess
) -> None:
    goes_on_where_it_was(["node", consumer / "program.js"], tmp_path, gateway)


def test_the_guide_names_every_error() -> None:
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.SignalpostError):
            assert f"`{name}`" in GUIDE, name
