"""A machine is set up by `docs/guides/one-machine.md` alone, for real: `make single-drill`, as root.

The machine is this one, seen through an overlay: what the guide changes in `/etc`, `/opt` and `/var` is in memory, and
gone in the end. It has a network of its own, with loopback alone. There is no systemd in it, so the drill does what
systemd would: it reads the units that were installed, and runs what they say, as the user and with the settings that
they name.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from gateway.tests.acceptance.client import until
from gateway.tests.patience import PATIENCE

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "docs" / "guides" / "one-machine.md"
NAME = "gateway.example.com"
TREE = Path("/usr/local/src/signalpost")
SETTINGS = Path("/etc/signalpost/signalpost.env")
DATA = Path("/var/lib/signalpost")
CERTIFICATE = Path("/etc/ssl/signalpost")
ROOM = "1500M"
"""Memory for all that changes."""
PROXIES = {
    "nginx": ["nginx", "-g", "daemon off;"],
    "caddy": ["caddy", "run", "--config", "/etc/caddy/Caddyfile"],
}


class Machine:
    """A machine on which only what the drill installs is new."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._network = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        self._inside = ["nsenter", f"--net=/proc/{self._network.pid}/ns/net"]
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def at(self, path: Path) -> Path:
        """Where a path of the machine is for the drill."""
        return self.root / path.relative_to("/")

    def run(self, *command: str, code: int | None = 0, online: bool = False) -> str:
        """A command's output. `online` has it on this machine's own network, for packages."""
        inside = [] if online else self._inside
        words = [*inside, "chroot", str(self.root), "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin",
                 "LANG=C.UTF-8", *command]  # fmt: skip
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20 * PATIENCE)
        assert code in (None, done.returncode), f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def start_network(self) -> None:
        until(lambda: subprocess.run([*self._inside, "ip", "link", "set", "lo", "up"], check=False).returncode == 0)

    def program(self, name: str, *command: str) -> None:
        """Start a program that runs until it is stopped."""
        words = [*self._inside, "chroot", str(self.root), *command]
        with (self.root / f"{name}.log").open("a") as log:
            self._running[name] = subprocess.Popen(words, stdout=log, stderr=log)

    def log_of(self, name: str) -> str:
        return (self.root / f"{name}.log").read_text()

    def stop(self, name: str) -> int:
        process = self._running.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(PATIENCE)

    def runs(self, name: str) -> bool:
        return name in self._running and self._running[name].poll() is None

    def start_unit(self, name: str) -> int | None:
        """What systemd would do; the exit code of one that ends by itself."""
        kind, _, instance = name.partition("@")
        said: dict[str, list[str]] = {}
        file = self.at(Path(f"/etc/systemd/system/{kind}{'@' if instance else ''}.service"))
        for line in file.read_text().splitlines():
            if "=" in line and not line.startswith("#"):
                key, _, value = line.partition("=")
                said.setdefault(key, []).append(value)
        [user], [started], [settings] = said["User"], said["ExecStart"], said["EnvironmentFile"]
        given = [each for each in self.at(Path(settings)).read_text().splitlines() if re.match("[A-Z_]+=", each)]
        words = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--",
                 "env", "-i", "PATH=/usr/bin:/bin", *given, *started.replace("%i", instance).split()]  # fmt: skip
        if said["Type"] == ["oneshot"]:
            done = subprocess.run([*self._inside, "chroot", str(self.root), *words], check=False, timeout=PATIENCE * 5)
            return done.returncode
        self.program(name, *words)
        return None

    def systemctl(self, line: str) -> None:
        match line.split():
            case ["systemctl", "enable", "--now", *units]:
                for unit in units:
                    if unit.endswith(".timer"):
                        timer = self.at(Path(f"/etc/systemd/system/{unit}"))
                        assert "OnCalendar" in timer.read_text()
                    else:
                        assert self.start_unit(unit) is None
            case ["systemctl", "start", unit]:
                assert self.start_unit(unit) in (None, 0)
            case ["systemctl", "stop", unit]:
                assert self.stop(unit) == 0
            case ["systemctl", "reload", proxy]:
                for each in PROXIES.keys() & self._running.keys():
                    self.stop(each)
                self.program(proxy, *PROXIES[proxy])
            case _:
                raise AssertionError(line)

    def follow(self, block: str) -> None:
        """Do what a block of the guide says."""
        for line in block.splitlines():
            if line.startswith("systemctl "):
                self.systemctl(line)
            elif not line.startswith("apt-get "):
                self.run("sh", "-euc", f"cd {TREE}; {line}", online=line.startswith("sh deploy/"))

    def end(self) -> None:
        for process in (*self._running.values(), self._network):
            process.send_signal(signal.SIGKILL)
            process.wait()

    # --- What people do on it -----------------------------------------------------------------------------------------

    def call(self, *words: str) -> Any:
        return json.loads(self.run("signalpost", *words, "--json"))

    def check(self) -> dict[str, str]:
        """What each fault that `signalpost check` finds is about."""
        said = self.run("signalpost", "check", "--json", code=None).splitlines()[0]
        return {each["check"]: each["seen"] for each in json.loads(said)["findings"] if each["verdict"] == "fault"}

    def is_ready(self) -> bool:
        return "gateway" not in self.check()


def missing() -> str:
    """What this machine lacks; nothing if it has all."""
    if os.geteuid() != 0:
        return "only root can make a machine of an overlay"
    for program in ("unshare", "nsenter", "ip", "setpriv", "openssl", *PROXIES):
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
        layers = f"lowerdir=/,upperdir={place}/upper,workdir={place}/work"
        mount(place / "root", "-t", "overlay", "-o", layers, "overlay")
        root = place / "root"
        for name in ("proc", "dev"):
            mount(root / name, "--bind", f"/{name}")
        mount(root / "tmp", "-t", "tmpfs", "-o", "mode=1777", "tmpfs")
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, root / TREE.relative_to("/")], check=True)
        made = Machine(root)
        made.start_network()
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


def test_a_new_user_sets_a_machine_up_by_the_guide_alone(machine: Machine, authority: trustme.CA) -> None:
    guide = blocks()
    began = time.monotonic()
    install, master_key = guide["Install it"]
    with machine.at(Path("/etc/hosts")).open("a") as hosts:  # what a provider of names does
        hosts.write(f"\n127.0.0.1 {NAME}\n")
    authority.cert_pem.write_to_path(str(machine.at(Path("/usr/local/share/ca-certificates/drill.crt"))))
    machine.run("update-ca-certificates")
    write_certificate(machine, authority)
    machine.follow(install.replace("caddy", "nginx"))
    machine.follow(master_key)
    until(machine.is_ready, lambda: machine.log_of("signalpost"))
    with_caddy, with_nginx = guide["Put a proxy in front"]
    machine.follow(with_nginx)
    first_backup, *_ = guide["Check it"]
    machine.follow("\n".join(first_backup.splitlines()[:-1]))
    until(lambda: machine.check() == {}, lambda: str(machine.check()))
    print(f"\nset up and checked after {time.monotonic() - began:.0f} s")
    print(machine.run("signalpost", "check"))
    assert re.search("! loss .*on the disk of the database", machine.run("signalpost", "check"))

    machine.follow(with_caddy)  # with the certificate that is there, because its own needs the internet
    caddyfile = machine.at(Path("/etc/caddy/Caddyfile"))
    own = f"{NAME} {{\n\ttls {CERTIFICATE}/cert.pem {CERTIFICATE}/key.pem\n"
    caddyfile.write_text(caddyfile.read_text().replace(f"{NAME} {{\n", own))
    machine.systemctl("systemctl reload caddy")
    until(lambda: machine.check() == {}, lambda: f"{machine.check()} {machine.log_of('caddy')}")
    machine.systemctl("systemctl reload nginx")
    until(lambda: machine.check() == {}, lambda: str(machine.check()))


def test_a_document_comes_in_through_the_proxy_and_goes_out_signed(machine: Machine) -> None:
    change(machine, SETTINGS, "\nSIGNALPOST_ALLOW_TARGETS=http://127.0.0.1:9000\n")
    restart(machine)
    machine.program(
        "receiver", "/opt/signalpost/bin/python", str(TREE / "examples" / "receiver.py"), "a secret of mine"
    )
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


def test_what_is_backed_up_is_restored_by_the_guide(machine: Machine) -> None:
    machine.systemctl("systemctl start signalpost-backup")
    [copy] = sorted(machine.at(Path("/var/backups/signalpost")).glob("*.db"))[-1:]
    machine.call("documents", "create", "--type", "NDA", "--title", "After", "--owner", "a@example.com")
    [block] = blocks()["Restore"]
    for file in machine.at(DATA / "files").iterdir():
        file.unlink()  # as on a new machine
    machine.follow(re.sub(r"signalpost-[-\dT]+Z\.db", copy.name, block))
    until(machine.is_ready)
    assert [each["title"] for each in machine.call("documents", "list")] == ["Through"]
    assert machine.check() == {}


def test_each_thing_that_breaks_is_found(machine: Machine, authority: trustme.CA) -> None:
    assert machine.check() == {}
    settings = change(machine, SETTINGS, "\nSIGNALPOST_RETENTION_DAY=7\n")
    assert "did you mean SIGNALPOST_RETENTION_DAYS?" in machine.check()["settings"]
    assert machine.stop("signalpost") == 0
    machine.start_unit("signalpost")
    until(lambda: not machine.runs("signalpost"))
    assert machine.stop("signalpost") == 2, "which systemd does not try again"
    assert "SIGNALPOST_RETENTION_DAY is not a setting" in machine.log_of("signalpost")
    machine.at(SETTINGS).write_text(settings)
    assert "No gateway runs" in machine.check()["gateway"]
    machine.start_unit("signalpost")
    until(machine.is_ready)
    until(lambda: machine.check() == {}, lambda: str(machine.check()))

    machine.run("chmod", "755", str(DATA))
    assert "Other users" in machine.check()["permissions"]
    machine.run("chmod", "700", str(DATA))
    machine.run("touch", str(DATA / "left-by-root"))
    assert f"{DATA}/left-by-root is not signalpost's" in machine.check()["permissions"]
    machine.run("rm", str(DATA / "left-by-root"))
    machine.run("chmod", "644", "/etc/signalpost/master-key")
    assert "Other users may read or change /etc/signalpost/master-key" in machine.check()["permissions"]
    machine.run("chmod", "640", "/etc/signalpost/master-key")

    free = shutil.disk_usage(machine.at(DATA)).free
    machine.run("fallocate", "--length", str(free - 200 * 1024 * 1024), "/var/full")
    assert "documents are refused" in machine.check()["disk"]
    machine.run("rm", "/var/full")

    mark = machine.at(DATA / "signalpost.db.backed-up")
    kept = mark.read_text()
    at, _, copy = kept.partition(" ")
    mark.write_text(f"{int(at) - 30 * 3600 * 1_000_000} {copy}")
    assert "30 hours old" in machine.check()["backup"]
    assert machine.start_unit("signalpost-check") == 1
    assert machine.start_unit("signalpost-alert@signalpost-check.service") == 0
    mark.write_text(kept)

    now = datetime.now(UTC)
    for days, said in ((2, "ends on"), (-1, "has expired")):
        write_certificate(machine, authority, not_after=now + timedelta(days=days))
        machine.systemctl("systemctl reload nginx")
        until(lambda said=said: said in " ".join(machine.check().values()), lambda: str(machine.check()))  # type: ignore[misc]
    write_certificate(machine, authority)
    machine.stop("nginx")
    assert "does not answer" in machine.check()["address"]
    machine.systemctl("systemctl reload nginx")
    until(lambda: machine.check() == {}, lambda: str(machine.check()))
    assert machine.start_unit("signalpost-check") == 0


def test_an_upgrade_by_the_guide_keeps_all(machine: Machine) -> None:
    [block] = blocks()["Upgrade"]
    settings, key = (machine.at(path).read_bytes() for path in (SETTINGS, Path("/etc/signalpost/master-key")))
    time.sleep(1)  # a copy's name has the second
    machine.follow("\n".join(line for line in block.splitlines() if "restart" not in line))
    restart(machine)
    assert settings == machine.at(SETTINGS).read_bytes()
    assert key == machine.at(Path("/etc/signalpost/master-key")).read_bytes()
    assert [each["title"] for each in machine.call("documents", "list")] == ["Through"]
    until(lambda: machine.check() == {}, lambda: str(machine.check()))


def test_systemd_takes_the_units_as_they_are_installed(machine: Machine) -> None:
    with suppress(FileNotFoundError):
        said = machine.run("sh", "-c", "systemd-analyze verify /etc/systemd/system/signalpost*", code=None)
        assert [line for line in said.splitlines() if "signalpost" in line] == []
        for unit in ("signalpost", "signalpost-backup", "signalpost-check"):
            offline = ("systemd-analyze", "security", "--offline=yes", f"/etc/systemd/system/{unit}.service")
            print(machine.run(*offline, code=None).splitlines()[-1])


def restart(machine: Machine) -> None:
    machine.systemctl("systemctl stop signalpost")
    machine.systemctl("systemctl start signalpost")
    until(machine.is_ready, lambda: machine.log_of("signalpost"))
