"""A machine is set up by `docs/guides/one-machine.md` alone, for real: `make single-drill`, as root.

The machine is this one, seen through an overlay: what the guide changes in `/etc`, `/opt` and `/var` is in memory, and
gone in the end. It has a systemd and processes of its own, and a network of its own, with loopback alone.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from gateway.tests.acceptance.client import until
from gateway.tests.acceptance.gateway_process import children
from gateway.tests.patience import LONG_PATIENCE, PATIENCE

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "docs" / "guides" / "one-machine.md"
NAME = "gateway.example.com"
TREE = Path("/usr/local/src/signalpost")
SETTINGS = Path("/etc/signalpost/signalpost.env")
DATA = Path("/var/lib/signalpost")
CERTIFICATE = Path("/etc/ssl/signalpost")
ROOM = "1500M"
"""Memory for all that changes."""
SYSTEMD = "/lib/systemd/systemd"
ENVIRONMENT = (
    "env",
    "--ignore-environment",
    "--chdir=/",
    "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG=C.UTF-8",
)


class Machine:
    """A machine on which only what the drill installs is new."""

    def __init__(self, root: Path) -> None:
        """Starts it; `root` is its root folder."""
        self.root = root
        boot = f"mount -t proc proc {root}/proc && exec chroot {root} env -i container=drill {SYSTEMD}"
        spaces = ("--pid", "--fork", "--kill-child", "--net", "--ipc", "--uts", "--cgroup")
        self._systemd = subprocess.Popen(["unshare", *spaces, "sh", "-c", boot], stdout=subprocess.DEVNULL)
        until(lambda: children(self._systemd.pid))
        [first] = children(self._systemd.pid)
        self._inside = [
            "nsenter",
            f"--target={first}",
            "--pid",
            "--ipc",
            "--uts",
            f"--root=/proc/{first}/root",
            "--wd=/",
        ]
        until(lambda: self.run("systemctl", "is-system-running", code=None).strip() in ("running", "degraded"))

    def at(self, path: Path) -> Path:
        """Where a path of the machine is for the drill."""
        return self.root / path.relative_to("/")

    def run(self, *command: str, code: int | None = 0, online: bool = False) -> str:
        """A command's output. `online` has it on this machine's own network, for packages."""
        words = [*self._inside, *(() if online else ("--net",)), *ENVIRONMENT, *command]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=10 * LONG_PATIENCE)
        assert code in (None, done.returncode), f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def follow(self, block: str) -> None:
        """Do what a block of the guide says. A package that was installed runs already, as Debian has it."""
        for line in block.splitlines():
            if not line.startswith("apt-get "):
                does = line.replace("systemctl reload ", "systemctl reload-or-restart ")
                self.run("sh", "-euc", f"cd {TREE}; {does}", online=line.startswith("sh deploy/"))

    def log_of(self, unit: str) -> str:
        return self.run("journalctl", "--unit", unit, "--output", "cat", "--no-pager")

    def state_of(self, unit: str) -> dict[str, str]:
        shown = self.run("systemctl", "show", unit, "--property", "ActiveState,ExecMainStatus,NRestarts,MainPID")
        return dict(line.split("=", 1) for line in shown.splitlines())

    def end(self) -> None:
        self._systemd.kill()
        self._systemd.wait(PATIENCE)

    # --- What people do on it -----------------------------------------------------------------------------------------

    def call(self, *words: str) -> Any:
        return json.loads(self.run("signalpost", *words, "--json"))

    def check(self) -> dict[str, str]:
        """What each fault that `signalpost check` finds is about."""
        said = self.run("signalpost", "check", "--json", code=None).splitlines()[0]
        return {each["check"]: each["seen"] for each in json.loads(said)["findings"] if each["verdict"] == "fault"}

    def until_well(self) -> None:
        until(lambda: self.check() == {}, lambda: f"{self.check()}\n{self.log_of('signalpost')}")


def missing() -> str:
    """What this machine lacks; nothing if it has all."""
    if os.geteuid() != 0:
        return "only root can make a machine of an overlay"
    for program in ("unshare", "nsenter", SYSTEMD, "openssl", "nginx", "caddy"):
        if shutil.which(program) is None:
            return f"there is no {program} on this machine"
    tried = subprocess.run(["unshare", "--mount", "--net", "true"], check=False, capture_output=True)
    return "" if tried.returncode == 0 else "this machine makes no namespaces"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    if lacking := missing():
        pytest.skip(lacking)
    place = tmp_path_factory.mktemp("machine")
    mounted: list[Path] = []

    def mount(at: Path, *options: str) -> None:
        at.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", *options, str(at)], check=True)
        mounted.append(at)

    made = None
    try:
        mount(place, "-t", "tmpfs", "-o", f"size={ROOM},mode=755", "tmpfs")
        for layer in ("upper", "work", "root"):
            (place / layer).mkdir()
        root = place / "root"
        layers = f"lowerdir=/,upperdir={place}/upper,workdir={place}/work"
        mount(root, "-t", "overlay", "-o", layers, "overlay")
        mount(root / "dev", "--bind", "/dev")
        for name in ("tmp", "run", "sys"):
            mount(root / name, "-t", "tmpfs", "-o", f"mode={'1777' if name == 'tmp' else '755'}", "tmpfs")
        if Path("/sys/fs/cgroup/cgroup.controllers").exists():
            mount(root / "sys/fs/cgroup", "-t", "cgroup2", "cgroup")
        else:
            mount(root / "sys/fs/cgroup/systemd", "-t", "cgroup", "-o", "none,name=systemd", "cgroup")
        # What else this machine runs is not started: all that the guide needs is there without it.
        shutil.rmtree(root / "etc/systemd/system")
        (root / "etc/systemd/system").mkdir()
        (root / "etc/systemd/system/default.target").symlink_to("/lib/systemd/system/basic.target")
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, root / TREE.relative_to("/")], check=True)
        made = Machine(root)
        yield made
    finally:
        if made is not None:
            made.end()
        for each in reversed(mounted):
            subprocess.run(["umount", "--lazy", str(each)], check=False)


def blocks() -> dict[str, list[str]]:
    """The commands of the guide, by the heading that they are below."""
    found: dict[str, list[str]] = {}
    for section in GUIDE.read_text().split("\n## ")[1:]:
        heading, _, text = section.partition("\n")
        found[heading] = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return found


def test_a_new_user_sets_a_machine_up_by_the_guide_alone(machine: Machine, authority: trustme.CA) -> None:
    guide = blocks()
    with machine.at(Path("/etc/hosts")).open("a") as hosts:  # what a provider of names does
        hosts.write(f"\n127.0.0.1 {NAME}\n")
    authority.cert_pem.write_to_path(str(machine.at(Path("/usr/local/share/ca-certificates/drill.crt"))))
    machine.run("update-ca-certificates")
    write_certificate(machine, authority)
    began = time.monotonic()
    for block in guide["Install it"]:
        machine.follow(block)
    with_caddy, with_nginx = guide["Put a proxy in front"]
    machine.follow(with_nginx)
    until(lambda: "gateway" not in machine.check(), lambda: machine.log_of("signalpost"))
    first_backup, *_ = guide["Check it"]
    machine.follow(first_backup)
    machine.until_well()
    print(f"\nset up and checked after {time.monotonic() - began:.0f} s")
    print(machine.run("signalpost", "check"))
    assert re.search("! loss .*on the disk of the database", machine.run("signalpost", "check"))
    timers = machine.run("systemctl", "list-timers", "--no-pager")
    assert {*re.findall(r"signalpost-\w+\.timer", timers)} == {"signalpost-backup.timer", "signalpost-check.timer"}

    machine.run("systemctl", "stop", "nginx")
    own = f"{NAME} {{\n\ttls {CERTIFICATE}/cert.pem {CERTIFICATE}/key.pem\n"  # its own would need the internet
    machine.run("sh", "-c", f"chown caddy {CERTIFICATE}/key.pem")
    machine.follow(with_caddy.splitlines()[0])
    caddyfile = machine.at(Path("/etc/caddy/Caddyfile"))
    caddyfile.write_text(caddyfile.read_text().replace(f"{NAME} {{\n", own))
    machine.follow(with_caddy.splitlines()[1])
    machine.until_well()
    machine.run("systemctl", "stop", "caddy")
    machine.follow(with_nginx)
    machine.until_well()


def test_a_document_comes_in_through_the_proxy_and_goes_out_signed(machine: Machine) -> None:
    change(machine, SETTINGS, "\nSIGNALPOST_ALLOW_TARGETS=http://127.0.0.1:9000\nSIGNALPOST_PROCESSES=2\n")
    machine.run("systemctl", "restart", "signalpost")
    receiver = ("/opt/signalpost/bin/python", "-u", str(TREE / "examples" / "receiver.py"), "a secret of mine")
    machine.run("systemd-run", "--unit=receiver", *receiver)
    machine.until_well()
    machine.call("subscriptions", "create", "http://127.0.0.1:9000/", "--secret", "a secret of mine")
    key = machine.call("keys", "create", "an application", "--role", "app")["key"]
    body = json.dumps(
        {"type": "NDA", "title": "Through", "ownerEmail": "a@example.com", "authorEmail": "a@example.com"}
    )
    headers = ("--header", f"authorization: Bearer {key}", "--header", "content-type: application/json")
    answer = machine.run("curl", "--silent", "--show-error", *headers, "--data", body, f"https://{NAME}/v1/documents")
    document = json.loads(answer)["externalId"]
    machine.at(Path("/tmp/a.pdf")).write_bytes(b"%PDF-1.7 a file")
    machine.at(Path("/tmp/a.pdf")).chmod(0o644)
    machine.call("documents", "upload", document, "/tmp/a.pdf")
    until(lambda: "verified: documentCreated 'Through'" in machine.log_of("receiver"))


def test_a_gateway_that_is_killed_runs_again(machine: Machine) -> None:
    machine.run("systemctl", "kill", "--signal=KILL", "signalpost")
    until(lambda: machine.state_of("signalpost")["NRestarts"] == "1")
    machine.until_well()


def test_what_is_backed_up_is_restored_by_the_guide(machine: Machine) -> None:
    machine.run("systemctl", "start", "signalpost-backup")
    *_, copy = sorted(machine.at(Path("/var/backups/signalpost")).glob("*.db"))
    machine.call("documents", "create", "--type", "NDA", "--title", "After", "--owner", "a@example.com")
    [block] = blocks()["Restore"]
    for file in machine.at(DATA / "files").iterdir():
        file.unlink()  # as on a new machine
    machine.follow(re.sub(r"signalpost-[-\dT]+Z\.db", copy.name, block))
    machine.until_well()
    assert [each["title"] for each in machine.call("documents", "list")] == ["Through"]


def test_a_misspelt_variable_stops_the_start_is_told_and_not_tried_again(machine: Machine) -> None:
    settings = change(machine, SETTINGS, "\nSIGNALPOST_RETENTION_DAY=7\n")
    assert "did you mean SIGNALPOST_RETENTION_DAYS?" in machine.check()["settings"]
    machine.run("systemctl", "restart", "signalpost")
    until(lambda: machine.state_of("signalpost")["ActiveState"] == "failed")
    assert machine.state_of("signalpost")["ExecMainStatus"] == "2"
    alert = "signalpost-alert@signalpost.service.service"
    until(lambda: "did you mean SIGNALPOST_RETENTION_DAYS?" in machine.log_of(alert))
    machine.at(SETTINGS).write_text(settings)
    assert "No gateway runs" in machine.check()["gateway"]
    machine.run("systemctl", "start", "signalpost")
    machine.until_well()


def test_each_thing_that_breaks_is_found(machine: Machine, authority: trustme.CA) -> None:
    machine.run("chmod", "755", str(DATA))
    assert "Other users" in machine.check()["permissions"]
    machine.run("chmod", "700", str(DATA))
    machine.run("touch", str(DATA / "left-by-root"))
    assert f"{DATA}/left-by-root is not signalpost's" in machine.check()["permissions"]
    machine.run("rm", str(DATA / "left-by-root"))
    machine.run("chmod", "644", "/etc/signalpost/master-key")
    assert "Other users may read or change /etc/signalpost/master-key" in machine.check()["keys"]
    machine.run("chmod", "640", "/etc/signalpost/master-key")

    free = shutil.disk_usage(machine.at(DATA)).free
    machine.run("fallocate", "--length", str(free - 200 * 1024 * 1024), "/var/full")
    assert "documents are refused" in machine.check()["disk"]
    machine.run("rm", "/var/full")
    machine.until_well()

    mark = machine.at(DATA / "signalpost.db.backed-up")
    kept = mark.read_text()
    at, _, copy = kept.partition(" ")
    mark.write_text(f"{int(at) - 30 * 3600 * 1_000_000} {copy}")
    assert "30 hours old" in machine.check()["backup"]
    machine.run("systemctl", "start", "signalpost-check", code=1)
    until(lambda: "30 hours old" in machine.log_of("signalpost-alert@signalpost-check.service.service"))
    mark.write_text(kept)

    now = datetime.now(UTC)
    for days, said in ((2, "ends on"), (-1, "has expired")):
        write_certificate(machine, authority, not_after=now + timedelta(days=days))
        machine.run("systemctl", "reload", "nginx")
        until(lambda said=said: said in " ".join(machine.check().values()), lambda: str(machine.check()))  # type: ignore[misc]
    write_certificate(machine, authority)
    machine.run("systemctl", "stop", "nginx")
    assert "does not answer" in machine.check()["address"]
    machine.run("systemctl", "start", "nginx")
    machine.until_well()
    machine.run("systemctl", "start", "signalpost-check")


def test_an_upgrade_by_the_guide_keeps_all(machine: Machine) -> None:
    [block] = blocks()["Upgrade"]
    kept = (SETTINGS, Path("/etc/signalpost/master-key"))
    before = [machine.at(path).read_bytes() for path in kept]
    machine.follow(block)
    machine.until_well()
    assert [machine.at(path).read_bytes() for path in kept] == before
    assert [each["title"] for each in machine.call("documents", "list")] == ["Through"]


def test_systemd_takes_the_units_as_they_are_installed(machine: Machine) -> None:
    said = machine.run("sh", "-c", "systemd-analyze verify /etc/systemd/system/signalpost*.service 2>&1", code=None)
    assert [line for line in said.splitlines() if "signalpost" in line] == []
    for unit in ("signalpost", "signalpost-backup", "signalpost-check"):
        print(machine.run("systemd-analyze", "security", "--no-pager", unit, code=None).splitlines()[-1])


def write_certificate(machine: Machine, authority: trustme.CA, **options: Any) -> None:
    leaf = authority.issue_cert(NAME, **options)
    folder = machine.at(CERTIFICATE)
    folder.mkdir(exist_ok=True)
    (folder / "cert.pem").write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    (folder / "key.pem").write_bytes(leaf.private_key_pem.bytes())
    (folder / "key.pem").chmod(0o600)


def change(machine: Machine, path: Path, text: str) -> str:
    """Append to a file; what it was before."""
    file = machine.at(path)
    before = file.read_text()
    file.write_text(before + text)
    return before
