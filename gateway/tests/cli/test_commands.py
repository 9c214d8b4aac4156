"""The database's commands, what all commands share, and what a newcomer sees."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import HTTPServer
from importlib import import_module
from io import StringIO
from pathlib import Path

import apsw
import pytest
from gateway.tests.cli import command
from gateway.tests.cli.command import Run, at_terminal, create, json_of
from gateway.tests.http_server import QuietHandler
from gateway.tests.sqlite_file import database_file
from rich.console import Console

from signalpost.cli.app import app

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
GROUPS = ("documents", "subscriptions", "deliveries", "replay", "events", "keys", "db")


def test_the_database_is_checked_measured_backed_up_beside_the_gateway_and_restored(
    run: Run, tmp_path: Path, document: str
) -> None:
    assert run("db", "check").stdout == "The database is sound.\n"
    sizes = {entry["name"]: entry["rows"] for entry in json_of(run("db", "sizes", "--json"))}
    assert sizes["event"] >= 1
    assert sizes["event_log"] is None, "an index has no rows of its own"
    assert re.search(r"event_log +– +[0-9,]+\n", run("db", "sizes").stdout)
    copy = tmp_path / "copy.db"
    assert "the copy is sound" in run("db", "backup", str(copy)).stdout
    assert copy.stat().st_mode & 0o777 == 0o600
    assert "exists" in run("db", "backup", str(copy), code=1).stderr
    assert f"There is no folder {tmp_path}/no" in run("db", "backup", f"{tmp_path}/no/copy.db", code=1).stderr
    assert "Another Signalpost" in run("db", "restore", str(copy), code=1).stderr, "not under a running gateway"
    elsewhere = tmp_path / "elsewhere"
    assert run("db", "restore", str(copy), "--data-dir", str(elsewhere)).stdout.startswith("Restored")
    assert run("db", "check", "--data-dir", str(elsewhere)).stdout == "The database is sound.\n"
    assert document.replace("-", "") in copy.read_bytes().hex()


def test_the_settings_are_shown_with_where_they_are_from_and_nothing_is_started(run: Run, tmp_path: Path) -> None:
    unused = tmp_path / "unused"
    environment = {"SIGNALPOST_DATA_DIR": str(unused), "SIGNALPOST_OPERATOR_KEY": "sp_" + "k" * 43}
    shown = run("serve", "--show-settings", "--port", "1", **environment).stdout
    assert re.search(r"PORT +1 +flag +Port to listen on, 0 to 65535", shown)
    assert re.search(r"RETENTION_DAYS +30 +default ", shown)
    assert re.search(r"OPERATOR_KEY +set +environment ", shown)
    assert "A running gateway keeps the settings that it was started with." in shown
    listed = run("serve", "--show-settings", "--json", **environment)
    assert {each["name"]: each["source"] for each in json_of(listed)}["data_dir"] == "environment"
    assert "kkk" not in shown + listed.stdout
    assert not unused.exists()
    assert "SIGNALPOST_PORT must be" in run("serve", "--show-settings", code=2, SIGNALPOST_PORT="x").stderr
    assert "--show-settings" in run("serve", "--json", code=2, **environment).stderr


def test_a_misspelt_variable_stops_the_start_and_the_nearest_setting_is_named(run: Run, tmp_path: Path) -> None:
    """With a retention that no one set, events would go, or stay, at another time than the operator believes."""
    unused = tmp_path / "unused"
    misspelt = {"SIGNALPOST_DATA_DIR": str(unused), "SIGNALPOST_RETENTION_DAY": "7"}
    for words in (("serve",), ("serve", "--show-settings"), ("db", "prune")):
        refused = run(*words, code=2, **misspelt).stderr
        assert "SIGNALPOST_RETENTION_DAY is not a setting; did you mean SIGNALPOST_RETENTION_DAYS?" in refused
    assert not unused.exists()


def test_what_is_past_the_retention_is_pruned_while_the_gateway_is_stopped(run: Run, tmp_path: Path) -> None:
    assert "Another Signalpost" in run("db", "prune", code=1).stderr, "not under a running gateway"
    for number in range(5):
        create(run, f"{number} {'x' * 500}")
    run("db", "backup", str(tmp_path / "copy.db"))
    stopped = ("--data-dir", str(tmp_path / "stopped"))
    run("db", "restore", str(tmp_path / "copy.db"), *stopped)
    database = apsw.Connection(str(database_file(tmp_path / "stopped")))
    before = database.execute("SELECT count(*) FROM event").get
    database.execute("UPDATE event SET at = at - 2 * 86400 * 1000000 WHERE sequence <= 3")
    database.close()

    assert json_of(run("db", "prune", "--json", *stopped))["removed"]["event"] == 0, "30 days are kept"
    pruned = run("db", "prune", "--retention-days", "1", *stopped)
    assert re.search(r"event +3\n", pruned.stdout)
    assert re.search(
        r"Days kept: 1, or as set for a tenant. Of the database's [0-9,]+ bytes, [0-9,]+ are", pruned.stdout
    )
    assert run("db", "check", *stopped).stdout == "The database is sound.\n"
    compacted = json_of(run("db", "prune", "--retention-days", "1", "--compact", "--json", *stopped))
    assert (compacted["removed"]["event"], compacted["free"]) == (0, 0)
    assert run("db", "check", *stopped).stdout == "The database is sound.\n"
    assert {each["name"]: each["rows"] for each in json_of(run("db", "sizes", "--json", *stopped))}[
        "event"
    ] == before - 3
    assert "--retention-days must be" in run("db", "prune", "--retention-days", "0", *stopped, code=2).stderr


def test_a_damaged_backup_is_refused_and_changes_nothing(run: Run, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    run("db", "backup", str(copy))
    content = bytearray(copy.read_bytes())
    content[4096 * 3 : 4096 * 6] = bytes(4096 * 3)
    copy.write_bytes(content)
    target = tmp_path / "target"
    assert "There is no backup" in run("db", "restore", "is-not-there", "--data-dir", str(target), code=1).stderr
    assert "faults, so nothing was changed" in run("db", "restore", str(copy), "--data-dir", str(target), code=1).stderr
    assert not target.exists()


def test_without_a_gateway_a_command_says_how_to_get_one(run: Run, tmp_path: Path) -> None:
    none = run("events", "list", code=1, SIGNALPOST_DATA_DIR=str(tmp_path))
    assert "Start one with `signalpost serve`" in none.stderr
    away = run("events", "list", code=1, SIGNALPOST_URL="http://127.0.0.1:9", SIGNALPOST_KEY="sp_x")
    assert "No gateway answers at http://127.0.0.1:9" in away.stderr
    assert "There is no database" in run("db", "check", code=1, SIGNALPOST_DATA_DIR=str(tmp_path)).stderr
    keyless = run("events", "list", code=1, SIGNALPOST_URL="http://127.0.0.1:9", SIGNALPOST_DATA_DIR=str(tmp_path))
    assert "need a key. Set SIGNALPOST_KEY" in keyless.stderr


def test_the_key_of_this_machine_s_gateway_is_for_no_other_machine(run: Run) -> None:
    elsewhere = run("events", "list", code=1, SIGNALPOST_URL="http://gateway.invalid:9")
    assert "Calls to http://gateway.invalid:9 need a key. Set SIGNALPOST_KEY." in elsewhere.stderr
    assert "No gateway answers" in run("events", "list", code=1, SIGNALPOST_URL="http://127.0.0.1:9").stderr


def test_the_key_is_taken_from_the_file_that_the_gateway_has_it_from(run: Run, data_dir: Path, tmp_path: Path) -> None:
    there = {"SIGNALPOST_DATA_DIR": str(tmp_path), "SIGNALPOST_OPERATOR_KEY_FILE": str(data_dir / "operator-key")}
    (tmp_path / "address").write_text((data_dir / "address").read_text())
    assert run("nodes", **there).stdout
    elsewhere = run("nodes", code=1, SIGNALPOST_URL="http://gateway.invalid:9", **there)
    assert "need a key. Set SIGNALPOST_KEY" in elsewhere.stderr


@pytest.mark.parametrize("url", ["example.com", "ftp://example.com", "http://", "http://127.0.0.1:x", "http://[::1"])
def test_an_address_that_is_none_is_told(run: Run, url: str) -> None:
    assert "SIGNALPOST_URL must be http(s)://host:port" in run("events", "list", code=1, SIGNALPOST_URL=url).stderr


def test_a_wrong_key_or_tenant_is_told_apart(run: Run) -> None:
    assert "Set SIGNALPOST_KEY" in run("events", "list", code=1, SIGNALPOST_KEY="sp_wrong").stderr
    assert "SIGNALPOST_KEY must be printable" in run("events", "list", code=1, SIGNALPOST_KEY="sp_\u00fc").stderr
    assert (
        "SIGNALPOST_TENANT names the one to work in" in run("events", "list", code=1, SIGNALPOST_TENANT="nobody").stderr
    )


@pytest.fixture
def other_server() -> Iterator[str]:
    class Handler(QuietHandler):
        def do_GET(self) -> None:
            page, missing = (
                b"200 OK\r\ncontent-length: 13\r\n\r\n<html></html>",
                b"404 No\r\ncontent-length: 2\r\n\r\n{}",
            )
            self.wfile.write(b"HTTP/1.1 " + (missing if self.path.startswith("/missing") else page))

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("below", ["", "/missing"])
def test_another_server_is_told_from_a_gateway(run: Run, other_server: str, below: str) -> None:
    url = other_server + below
    assert "not as a Signalpost gateway would" in run("events", "list", code=1, SIGNALPOST_URL=url).stderr


@pytest.mark.parametrize("group", GROUPS)
def test_every_command_explains_itself_with_an_example(group: str) -> None:
    for name in import_module(f"signalpost.cli.commands.{group}").app:
        if not name.startswith("-"):
            assert f"Example: signalpost {group} {name}" in _help(group, name)


@pytest.mark.parametrize(
    "name", ["serve", "bench", "console", "keys", "replay", "emulator", "listen", "trigger", "doctor", "sign", "verify"]
)
def test_what_is_a_command_by_itself_does_so_too(name: str) -> None:
    assert f"Example: signalpost {name}" in _help(name)


def test_what_the_page_of_the_command_line_names_is_a_command() -> None:
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / "docs" / "command-line.md").read_text(), re.MULTILINE)
    named = {each.split()[0] for row in rows for each in re.findall("`(.*?)`", row)}
    assert "console" in named
    assert named - {"get", "retry", "tail", "export"} <= set(app), "these four stand behind the group that they are of"


def _help(*command: str) -> str:
    """What `--help` prints, without starting a process for each command."""
    shown = StringIO()
    app.help_print(command, console=Console(file=shown, width=200))
    return shown.getvalue()


@pytest.mark.parametrize(("typed", "completed"), [("subscriptions ro", "rotate"), ("keys rev", "revoke")])
def test_a_shell_completes_commands(tmp_path: Path, typed: str, completed: str) -> None:
    command.run("--install-completion", HOME=str(tmp_path), SHELL="/bin/bash")
    [script] = [file for file in tmp_path.rglob("*signalpost*") if file.is_file()]
    group, begun = typed.split()
    asked = f"COMP_WORDS=(signalpost {typed}) COMP_CWORD=2; _signalpost signalpost {begun} {group}"
    shell = subprocess.run(
        ["bash", "-c", f'source "{script}"; {asked}; echo "${{COMPREPLY[@]}}"'], capture_output=True, text=True
    )
    assert shell.stdout == f"{completed}\n"


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_a_newcomer_is_shown_first_steps_and_every_group(arguments: tuple[str, ...]) -> None:
    shown = command.run(*arguments).stdout
    for name in ("First steps", "signalpost serve\n", "SIGNALPOST_URL", "bench", *GROUPS):
        assert name in shown


def test_the_first_steps_fit_a_small_terminal() -> None:
    assert max(len(line) for line in at_terminal(80, "--help").splitlines() if line.startswith("    ")) <= 80


def test_a_command_that_is_none_gets_the_nearest_one_and_where_to_read_on(run: Run) -> None:
    wrong = run("documents", "lst", code=2).stderr
    assert 'Did you mean "list"?' in wrong
    assert "See: signalpost documents --help" in wrong


def test_what_is_wrong_with_a_command_is_said_in_a_line_of_its_own_however_long(run: Run) -> None:
    wrong = run("deliveries", "list", "--status", "nothing of the kind that a delivery can be in", code=2).stderr
    assert 'Choose from: "pending", "delivered", "skipped", "retrying", "failed".\nSee: ' in wrong
    assert run("serve", "here", "now", code=2).stderr.startswith("signalpost: Not understood: here now.\n")


INTERRUPTED = """
import os, signal, sys

loading = sys.argv[1]

class Interrupts:
    def find_spec(self, name, path, target=None):
        if name == loading:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupts())
from signalpost.cli.main import main
sys.argv[1:] = ["serve", "--show-settings"]
main()
"""


def test_a_command_that_only_calls_a_gateway_loads_no_part_of_one() -> None:
    parts = ("api", "commands", "console", "destinations", "engine", "gateway", "store")
    loads = f"""
import sys, signalpost.cli.app, signalpost.cli.commands.status
print([part for part in {parts} if f"signalpost.{{part}}" in sys.modules])
"""
    assert subprocess.check_output([sys.executable, "-c", loads], text=True) == "[]\n"


STARTED = """
import asyncio, sys
from pathlib import Path

import signalpost.cli.main
import signalpost.cli.running
import signalpost.cli.serving.gateway_process
from signalpost.gateway import Gateway
from signalpost.settings import Settings

async def start():
    async with Gateway(Settings(data_dir=Path(sys.argv[1]))):
        print(*sys.modules)

asyncio.run(start())
"""
MOST_AT_START = 600
"""Modules of the gateway itself. One more takes half a millisecond: what a start does not need is loaded when it is."""
NOT_AT_START = (
    "aiosmtplib", "attr", "cyclopts", "jinja2", "joserfc", "obstore", "prometheus_client", "psycopg", "rich",
    "signalpost_bench.command", "signalpost_client", "signalpost_mcp", "signalpost.api.routing.openapi",
    "signalpost.cli.app", "signalpost.cli.gateway_client", "signalpost.console.app", "signalpost.console.oidc",
    "signalpost.console.pages", "signalpost.console.portal.app", "signalpost.engine.tracing",
    "signalpost.files.bucket", "signalpost.installation", "signalpost.local.doctor", "signalpost.local.emulator",
    "signalpost.store.postgres", "signalpost.testing", "signalpost.workers",
)  # fmt: skip


def test_a_start_loads_only_what_it_needs(tmp_path: Path) -> None:
    loaded = subprocess.check_output(
        [sys.executable, "-c", STARTED, str(tmp_path / "data")], text=True, env=command.environment()
    ).split()
    assert [each for each in NOT_AT_START if each in loaded] == []
    own = [each for each in loaded if each.partition(".")[0] == "signalpost"]
    assert len(own) <= MOST_AT_START


COLLECTING = """
import gc, sys

loaded = []
gc.callbacks.append(lambda phase, info: phase == "start" and loaded.append("signalpost.gateway" in sys.modules))
from signalpost.cli.main import main
loaded.clear()
sys.argv[1:] = ["serve", "--show-settings"]
try:
    main()
finally:
    print(loaded.count(False), gc.isenabled(), gc.get_freeze_count() > 50_000, file=sys.stderr)
"""


def test_garbage_is_collected_once_the_modules_are_loaded() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", COLLECTING], capture_output=True, text=True, env=command.environment(), check=True
    )
    assert ended.stderr == "0 True True\n"


@pytest.mark.parametrize("loading", ["signalpost.cli.app", "cyclopts", "rich.console", "signalpost.gateway", "apsw"])
def test_ctrl_c_while_the_libraries_load_ends_a_command_without_a_word(loading: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, loading], capture_output=True, text=True, env=command.environment()
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")
