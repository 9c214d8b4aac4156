"""The files in `deploy/` and the guide to them name what there is: settings, commands, ports, paths, times."""

import configparser
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from signalpost.api.routes import HEALTH_ROUTES
from signalpost.cli.app import app
from signalpost.cli.serving.gateway_process import HTTP_GRACE
from signalpost.cli.serving.processes import DRAINS_WITHIN
from signalpost.gateway import MAX_SHUTDOWN_GRACE
from signalpost.given_settings import PREFIX, read_settings, unknown_variables
from signalpost.settings import SETTINGS

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
SINGLE = DEPLOY / "single"
OF_ONE_MACHINE = sorted(SINGLE.glob("*.service"))
MANIFESTS = ("gateway.yaml", "migrate.yaml", "secrets.yaml")
COMPOSE = DEPLOY / "container" / "compose.yaml"
CONTAINERFILE = (DEPLOY / "container" / "Containerfile").read_text()
TEXTS = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and path.parent.name != "__pycache__") + [
    ROOT / "docs" / "guides" / name
    for name in ("production.md", "fleet.md", "cells.md", "one-machine.md", "erase-and-restore.md", "install.md")
]
ENDS_WITHIN = HTTP_GRACE + MAX_SHUTDOWN_GRACE + 1.5
"""Seconds that a gateway takes to end, at most: requests, attempts, and the hand-over of its lanes."""


def manifests() -> list[dict[str, Any]]:
    return [each for name in MANIFESTS for each in yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text())]


def manifest(kind: str, name: str = "") -> dict[str, Any]:
    [found] = [each for each in manifests() if each["kind"] == kind and each["metadata"]["name"].startswith(name)]
    return found


def pod(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = manifest(kind)["spec"]["template"]
    return found


def image() -> dict[str, str]:
    """The environment that the image sets."""
    [block] = re.findall(r"^ENV (.*?[^\\])\n", CONTAINERFILE, re.MULTILINE | re.DOTALL)
    return dict(pair.split("=", 1) for pair in shlex.split(block.replace("\\\n", " ")))


def unit(path: Path) -> dict[str, list[str]]:
    """What a unit says, by key; some keys are there several times."""
    parsed: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            parsed.setdefault(name, []).append(value)
    return parsed


def settings_of_one_machine() -> dict[str, str]:
    text = (SINGLE / "signalpost.env").read_text()
    given = dict(line.split("=", 1) for line in text.splitlines() if re.match("[A-Z]", line))
    return {name: value for name, value in given.items() if name.startswith(PREFIX)}


def settings_in_containers(service: str) -> dict[str, str]:
    composed = yaml.safe_load((SINGLE / "compose.yaml").read_text())["services"][service]["environment"]
    return image() | {name: str(value) for name, value in composed.items()}


def environments() -> Iterator[tuple[str, dict[str, str]]]:
    """What each place gives a gateway as variables."""
    yield "Containerfile", image()
    for path in UNITS:
        yield path.name, dict(each.split("=", 1) for each in unit(path)["Environment"])
    text = (DEPLOY / "systemd" / "signalpost.env").read_text()
    yield "signalpost.env", dict(re.findall(r"^([A-Z_]+)=(.*)$", text, re.MULTILINE))
    yield "single/signalpost.env", settings_of_one_machine()
    yield "single/compose.yaml", settings_in_containers("gateway")
    for name, service in yaml.safe_load(COMPOSE.read_text())["services"].items():
        yield name, {key: str(value) for key, value in service["environment"].items()}
    for kind in ("Deployment", "Job"):
        [container] = pod(kind)["spec"]["containers"]
        yield kind, {each["name"]: each["value"] for each in container["env"]}


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_variable_and_option_that_is_named_exists(path: Path) -> None:
    text = path.read_text()
    named = dict.fromkeys(re.findall(rf"{PREFIX}[A-Z0-9_]+", text), "")
    assert unknown_variables(named) == []
    for command in re.findall(r"signalpost serve ([^\n`]*)", text):
        options = re.findall(r"--([a-z][a-z-]*)", command)
        assert {each.replace("-", "_") for each in options} <= {*SETTINGS, "show_settings", "help"}, command


@pytest.mark.parametrize(("place", "given"), [*environments()], ids=lambda each: each if isinstance(each, str) else "")
def test_every_value_is_one_that_its_setting_takes(place: str, given: dict[str, str]) -> None:
    files = {name for name in given if name.endswith("_FILE")}  # which are not here
    read_settings({name: value for name, value in given.items() if name not in files}, {})


def commands() -> Iterator[list[str]]:
    """The command lines of the program, without its name."""
    for path in UNITS:
        [started] = unit(path)["ExecStart"]
        assert started.startswith("/opt/signalpost/bin/signalpost ")
        yield started.split()[1:]
    yield from program_lines()
    yield ["serve"]
    assert 'ENTRYPOINT ["signalpost"]\nCMD ["serve"]' in CONTAINERFILE
    yield yaml.safe_load(COMPOSE.read_text())["services"]["migrate"]["command"]
    for kind in ("Deployment", "Job"):
        yield pod(kind)["spec"]["containers"][0]["args"]


def program_lines() -> Iterator[list[str]]:
    """What the units of one machine run of the program, and what its script does."""
    for path in OF_ONE_MACHINE:
        [started] = unit(path)["ExecStart"]
        if started.startswith("/opt/signalpost/bin/signalpost "):
            yield started.split()[1:]
    [line] = re.findall(r'^"\$program" (db backup) ', (SINGLE / "backup.sh").read_text(), re.MULTILINE)
    yield line.split()


@pytest.mark.parametrize("command", [*commands()], ids=" ".join)
def test_every_command_exists(command: list[str]) -> None:
    found = app
    for name in command:
        found = found[name]
    assert found.default_command is not None


def test_probes_ask_for_paths_and_ports_that_a_gateway_has() -> None:
    template, paths = pod("Deployment"), {route.path for route in HEALTH_ROUTES}
    [container] = template["spec"]["containers"]
    ports = {each["name"]: str(each["containerPort"]) for each in container["ports"]}
    assert ports == {"http": image()["SIGNALPOST_PORT"], "metrics": image()["SIGNALPOST_METRICS_PORT"]}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["path"] in paths
        assert container[probe]["httpGet"]["port"] == "http"
    assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/health/live", "a database that is away kills no gateway"
    assert template["metadata"]["annotations"]["prometheus.io/port"] == ports["metrics"]
    assert manifest("Service")["spec"]["ports"][0]["targetPort"] == "http"
    assert f"127.0.0.1:{ports['http']}/health/ready" in CONTAINERFILE
    published = [each["ports"][0] for name, each in yaml.safe_load(COMPOSE.read_text())["services"].items()
                 if name.startswith("gateway")]  # fmt: skip
    assert all(each.endswith(f":{ports['http']}") for each in published)


def test_no_service_becomes_a_setting_of_a_pod() -> None:
    """Kubernetes writes the address of a Service `signalpost` into SIGNALPOST_PORT of pods that start after it, where
    it comes before the image's."""
    assert manifest("Service")["metadata"]["name"] == "signalpost"
    assert all(pod(kind)["spec"]["enableServiceLinks"] is False for kind in ("Deployment", "Job"))


def test_a_container_ends_when_it_is_told_to_while_it_starts() -> None:
    """The kernel keeps signals that nothing handles yet from the first process of a container."""
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    assert all(service["init"] for service in services.values() if service["image"] == "signalpost")


def test_whatever_runs_gateways_waits_until_they_have_ended() -> None:
    template = pod("Deployment")["spec"]
    [container] = template["containers"]
    [program, seconds] = container["lifecycle"]["preStop"]["exec"]["command"]
    assert program == "sleep"
    assert template["terminationGracePeriodSeconds"] > float(seconds) + ENDS_WITHIN
    probe = container["readinessProbe"]
    assert float(seconds) > probe["periodSeconds"], "balancers hear of the end before connections are refused"
    for name, service in yaml.safe_load(COMPOSE.read_text())["services"].items():
        assert float(service["stop_grace_period"].removesuffix("s")) > ENDS_WITHIN, name
    [stop] = unit(DEPLOY / "systemd" / "signalpost.service")["TimeoutStopSec"]
    assert float(stop) > DRAINS_WITHIN
    assert DRAINS_WITHIN > ENDS_WITHIN


def test_selectors_find_the_gateways_and_nothing_else() -> None:
    labels, migrations = pod("Deployment")["metadata"]["labels"], pod("Job")["metadata"]["labels"]
    deployment, budget = manifest("Deployment")["spec"], manifest("PodDisruptionBudget")["spec"]
    [spread] = deployment["template"]["spec"]["topologySpreadConstraints"]
    selectors = [each["selector"]["matchLabels"] for each in (deployment, budget)]
    for selector in (*selectors, spread["labelSelector"]["matchLabels"], manifest("Service")["spec"]["selector"]):
        assert selector.items() <= labels.items()
        assert not selector.items() <= migrations.items()
    assert budget["maxUnavailable"] < deployment["replicas"]


def test_secrets_are_files_and_the_owners_is_for_migrations_alone() -> None:
    secrets = {each["metadata"]["name"]: each["stringData"] for each in manifests() if each["kind"] == "Secret"}
    for kind, secret in (("Deployment", "signalpost"), ("Job", "signalpost-owner")):
        spec = pod(kind)["spec"]
        mounted = [each["secret"]["secretName"] for each in spec["volumes"] if "secret" in each]
        assert mounted == [secret]
        [container] = spec["containers"]
        named = [each["value"] for each in container["env"] if each["name"].endswith("_FILE")]
        assert {name.removeprefix("/secrets/") for name in named} == {*secrets[secret]}
    assert "signalpost_owner:" in secrets["signalpost-owner"]["database-url"]
    assert "signalpost_gateway:" in secrets["signalpost"]["database-url"]
    composed = yaml.safe_load(COMPOSE.read_text())
    for service in composed["services"].values():
        named = [value for name, value in service["environment"].items() if name.endswith("_FILE")]
        assert {value.removeprefix("/run/secrets/") for value in named} <= {*service["secrets"]}
        assert {*service["secrets"]} <= {*composed["secrets"]}
    for path in UNITS:
        said = unit(path)
        given = {each.split(":")[0] for each in said["LoadCredential"]}
        assert {value.partition("%d/")[2] for value in said["Environment"] if "%d/" in value} == given


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
def test_the_script_for_compose_makes_every_secret_once(tmp_path: Path) -> None:
    script, folder = DEPLOY / "container" / "secrets.sh", tmp_path / "secrets"
    subprocess.run(["sh", script], env={**os.environ, "SECRETS": str(folder)}, check=True)
    made = {file.name: file.read_text() for file in folder.iterdir()}
    composed = yaml.safe_load(COMPOSE.read_text())
    assert {name: f"${{SECRETS:-./secrets}}/{name}" for name in made} == {
        name: secret["file"] for name, secret in composed["secrets"].items()
    }
    assert all(file.stat().st_mode & 0o77 == 0 for file in (folder, *folder.iterdir()))
    [user] = re.findall(r"^USER ([0-9]+)$", CONTAINERFILE, re.MULTILINE)
    for name in composed["services"]["gateway-1"]["secrets"]:
        read_settings({PREFIX + name.replace("-", "_").upper(): made[name].strip()}, {})
        assert (folder / name).stat().st_uid == int(user)
    again = subprocess.run(["sh", script], env={**os.environ, "SECRETS": str(folder)}, capture_output=True, check=False)
    assert again.returncode != 0
    assert made == {file.name: file.read_text() for file in folder.iterdir()}


def test_every_unit_is_shut_in_alike() -> None:
    about = ("Capability", "DynamicUser", "Lock", "NoNew", "Private", "Protect", "Restrict", "SystemCall", "UMask")
    [first, *others] = ({key: value for key, value in unit(path).items() if key.startswith(about)} for path in UNITS)
    assert first["ProtectSystem"] == ["strict"]
    assert all(each == first for each in others)


def test_the_units_of_one_machine_are_shut_in_alike_but_for_what_they_need() -> None:
    about = ("Capability", "Lock", "NoNew", "Private", "Protect", "Restrict", "SystemCall", "UMask")
    said = {path.stem: {key: value for key, value in unit(path).items() if key.startswith(about)
                        and key != "RestartPreventExitStatus"} for path in OF_ONE_MACHINE}  # fmt: skip
    most = said["signalpost"]
    assert most["ProtectSystem"] == ["strict"]
    assert said["signalpost-alert@"] == most
    assert said["signalpost-backup"] == most | {"ProtectSystem": ["full"]}, "copies go anywhere"
    without = {key: value for key, value in most.items() if key not in ("ProtectClock", "SystemCallFilter")}
    assert said["signalpost-check"] == without | {"ProtectSystem": ["full"]}, "it asks for the clock"
    assert all(unit(path)["User"] == ["signalpost"] for path in OF_ONE_MACHINE)


def test_all_that_one_machine_runs_is_installed_and_an_alert_follows_each_failure() -> None:
    script = (SINGLE / "install.sh").read_text()
    for path in OF_ONE_MACHINE:
        said = unit(path)
        assert said["EnvironmentFile"] == ["/etc/signalpost/signalpost.env"]
        for program in re.findall(r"/usr/local/lib/signalpost/(\S+)", said["ExecStart"][0]):
            assert f'"$here/{program}"' in script
            assert (SINGLE / program).exists()
        if "alert" not in path.name:
            assert said["OnFailure"] == ["signalpost-alert@%n.service"]
    for timer in SINGLE.glob("*.timer"):
        assert timer.with_suffix(".service") in OF_ONE_MACHINE
    assert {*re.findall(r'"\$here/([a-z.]+)"', script)} <= {path.name for path in SINGLE.iterdir()}
    wanted = {name for file in SINGLE.glob("*.sh") for name in re.findall(r"\$\{?(BACKUP_[A-Z]+)", file.read_text())}
    assert wanted == {"BACKUP_FOLDER", "BACKUP_DAYS"}
    for place in ((SINGLE / "signalpost.env").read_text(), (SINGLE / "compose.yaml").read_text()):
        assert all(name in place for name in wanted)


def test_a_gateway_on_one_machine_ends_in_the_time_that_it_is_given_and_is_not_started_for_nothing() -> None:
    said = unit(SINGLE / "signalpost.service")
    assert float(said["TimeoutStopSec"][0]) > ENDS_WITHIN
    assert said["RestartPreventExitStatus"] == ["2"], "what a setting that is not understood ends with"
    for name, service in yaml.safe_load((SINGLE / "compose.yaml").read_text())["services"].items():
        assert float(service["stop_grace_period"].removesuffix("s")) > ENDS_WITHIN, name


def test_proxies_are_as_their_guide_says() -> None:
    """The guide has the lines that matter; the file has those, and what one machine needs besides."""
    guide = (ROOT / "docs" / "guides" / "proxy.md").read_text()
    for name, language in (("nginx.conf", "nginx"), ("Caddyfile", "caddyfile")):
        [block] = re.findall(rf"```{language}\n(.*?)```", guide, re.DOTALL)
        block = block.replace("signalpost.example.com", "gateway.example.com")
        text = (SINGLE / name).read_text().replace("{$UPSTREAM:127.0.0.1:8080}", "127.0.0.1:8080")
        without_metrics = re.sub(
            r"    location = /metrics \{.*?\}\n|\trespond /metrics 404\n", "", block, flags=re.DOTALL
        )
        assert [line for line in without_metrics.splitlines() if line not in text] == []
    assert "SIGNALPOST_METRICS_PORT" in settings_of_one_machine(), "so that the proxy has none to refuse"
    assert "SIGNALPOST_METRICS_PORT" in settings_in_containers("gateway")


@pytest.mark.parametrize("path", [*UNITS, *OF_ONE_MACHINE], ids=lambda path: f"{path.parent.name}/{path.name}")
def test_units_are_what_systemd_takes(path: Path) -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(path.read_text())
    assert {"Unit", "Service"} <= {*parser.sections()}
    if program := shutil.which("systemd-analyze"):
        said = subprocess.run([program, "verify", path], capture_output=True, text=True, check=False).stderr
        assert [
            line for line in said.splitlines() if not re.search("is not executable|not found, ignoring", line)
        ] == []


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl here")
def test_kustomize_puts_the_manifests_together() -> None:
    done = subprocess.run(["kubectl", "kustomize", DEPLOY / "kubernetes"], capture_output=True, text=True, check=True)
    assert {each["kind"] for each in yaml.safe_load_all(done.stdout)} == {
        "Deployment", "PodDisruptionBudget", "Service",
    }  # fmt: skip


def test_the_image_copies_what_there_is_and_runs_as_nobody_special() -> None:
    for source in re.findall(r"^COPY (?!--from)(\S+)", CONTAINERFILE, re.MULTILINE):
        assert (ROOT / source).exists(), source
        assert f"!{source}\n" in (ROOT / ".dockerignore").read_text(), "what is not let through is not there to copy"
    for lock in ("runtime", "build"):
        assert f"-r requirements/{lock}.txt" in CONTAINERFILE
        assert (ROOT / "requirements" / f"{lock}.txt").exists()
    [user] = re.findall(r"^USER ([0-9]+)$", CONTAINERFILE, re.MULTILINE)
    assert f"--uid {user} " in CONTAINERFILE
    for kind in ("Deployment", "Job"):
        assert pod(kind)["spec"]["securityContext"]["runAsUser"] == int(user)
