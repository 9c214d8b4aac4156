"""The Helm chart is the same as the manifests that kustomize puts together, and refuses what it does not know."""

import json
import re
import runpy
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
CHART, KUSTOMIZE = ROOT / "deploy" / "helm", ROOT / "deploy" / "kubernetes"
SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
HELM = shutil.which("helm") or shutil.which("helm", path=str(ROOT / ".venv" / "helm"))
KUBERNETES = ("1.29", "1.37")
NEEDED: Mapping[str, Any] = {"PUBLIC_URL": "https://gateway.example.com", "FILES_URL": "s3://files"}

needs_helm = pytest.mark.skipif(HELM is None, reason="there is no helm here (make .venv/helm)")
needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl here")


def of_the_guide() -> dict[str, Any]:
    """The values that the guide begins with."""
    guide = (ROOT / "docs" / "guides" / "production.md").read_text(encoding="utf-8")
    [block] = re.findall(r"```yaml\n(# values\.yaml\n.*?)```", guide, re.DOTALL)
    values: dict[str, Any] = yaml.safe_load(block)
    return values


def helm(
    folder: Path, values: Mapping[str, Any], *more: str, release: str = "signalpost"
) -> subprocess.CompletedProcess[str]:
    """What `helm template` prints of these values, as a release. It has no cluster to ask for its version,
    and a Helm that was built by itself takes one that is long gone."""
    (folder / "values.yaml").write_text(json.dumps(values), encoding="utf-8")
    command = [str(HELM), "template", release, str(CHART), "--values", str(folder / "values.yaml")]
    command += ["--namespace", "signalpost", "--kube-version", KUBERNETES[-1], *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def rendered(folder: Path, values: Mapping[str, Any], *more: str, release: str = "signalpost") -> list[dict[str, Any]]:
    done = helm(folder, values, *more, release=release)
    assert done.returncode == 0, done.stderr
    return by_kind(yaml.safe_load_all(done.stdout))


def by_kind(documents: Any) -> list[dict[str, Any]]:
    """Manifests in one order, and variables, whose order says nothing, in theirs."""
    found = sorted((each for each in documents if each), key=lambda each: str(each["kind"]))
    for each in found:
        for container in each["spec"].get("template", {}).get("spec", {}).get("containers", ()):
            container["env"].sort(key=lambda variable: variable["name"])
    return found


def of_kind(kind: str, documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    [found] = [each for each in documents if each["kind"] == kind]
    return found


def test_the_schema_has_every_setting_but_secrets_and_what_the_pod_decides() -> None:
    made = runpy.run_path(str(CHART / "make_schema.py"))
    assert (CHART / "values.schema.json").read_text(encoding="utf-8") == made["text"](), "deploy/helm/make_schema.py"
    taken = {*SCHEMA["properties"]["settings"]["properties"]}
    assert {"PUBLIC_URL", "FILES_URL", "TRUSTED_PROXIES", "OTEL_SERVICE_NAME"} <= taken
    assert not taken & {"OPERATOR_KEY", "MASTER_KEY", "DATABASE_URL", "OIDC_CLIENT_SECRET", "PORT", "PROCESSES"}


def test_every_value_that_the_chart_has_is_in_its_schema_and_the_other_way_round() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert {*values} == {*SCHEMA["properties"]} - {"global"}
    for name in ("image", "secrets", "resources"):
        assert {*values[name]} == {*SCHEMA["properties"][name]["properties"]}
    [lacking] = Draft202012Validator(SCHEMA).iter_errors({**values, "settings": {"PUBLIC_URL": "https://a.example"}})
    assert "FILES_URL" in lacking.message


@needs_helm
@needs_kubectl
def test_with_the_values_of_the_guide_the_chart_is_the_same_as_the_manifests(tmp_path: Path) -> None:
    chart = rendered(tmp_path, of_the_guide())
    command = ["kubectl", "kustomize", str(KUSTOMIZE)]
    manifests = [*yaml.safe_load_all(subprocess.run(command, capture_output=True, text=True, check=True).stdout)]
    migrate = yaml.safe_load((KUSTOMIZE / "migrate.yaml").read_text())
    # A job runs once: Helm replaces it with each version, and whoever applies the manifests makes another.
    job = of_kind("Job", chart)
    assert job["metadata"].pop("annotations") == {
        "helm.sh/hook": "pre-install,pre-upgrade", "helm.sh/hook-delete-policy": "before-hook-creation",
    }  # fmt: skip
    assert migrate["metadata"].pop("name").startswith(job["metadata"].pop("name") + "-")
    migrate["metadata"]["namespace"] = "signalpost"
    for each in chart:
        for container in each["spec"].get("template", {}).get("spec", {}).get("containers", ()):
            assert container.pop("imagePullPolicy") == "IfNotPresent", "what Kubernetes takes for a tag such as 0.1.0"
    assert chart == by_kind([*manifests, migrate])


EVERYTHING: Mapping[str, Any] = {
    "image": {"repository": "registry.example/signalpost", "tag": "1.2.3@sha256:" + "0" * 64, "pullPolicy": "Always"},
    "replicas": 12,
    "settings": {**NEEDED, "IN_FLIGHT": "1000000", "RETRY_DELAYS": "10,60", "OTEL_SERVICE_NAME": 'a "name": {{ x }}'},
    "env": {"AWS_REGION": "no"},
    "secretEnv": {"SIGNALPOST_OIDC_CLIENT_SECRET": "oidc"},
    "secrets": {"gateways": "mine", "migrations": "theirs"},
    "resources": {"requests": {"cpu": 2, "memory": "1Gi"}, "limits": {"memory": "4Gi"}},
    "pod": {
        "serviceAccountName": "of-the-bucket", "imagePullSecrets": [{"name": "pull"}], "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "only", "operator": "Exists"}], "priorityClassName": "high",
        "affinity": {"nodeAffinity": {}},
    },
    "global": {"of": "another chart"},
}  # fmt: skip
"""A value of each kind that the chart takes."""


@needs_helm
def test_every_value_gets_to_where_it_belongs_as_the_text_that_it_was(tmp_path: Path) -> None:
    assert {*EVERYTHING} == {*SCHEMA["properties"]}
    documents = rendered(tmp_path, EVERYTHING)
    deployment, job = of_kind("Deployment", documents), of_kind("Job", documents)
    assert deployment["spec"]["replicas"] == 12
    for spec, secret in (
        (each["spec"]["template"]["spec"], name) for each, name in ((deployment, "mine"), (job, "theirs"))
    ):
        assert EVERYTHING["pod"].items() <= spec.items()
        [container] = spec["containers"]
        assert container["image"] == "registry.example/signalpost:1.2.3@sha256:" + "0" * 64
        assert container["imagePullPolicy"] == "Always"
        assert spec["volumes"][0]["secret"]["secretName"] == secret
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == EVERYTHING["resources"]
    variables = {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}
    assert len(variables) == len(container["env"]) == 3 + 5 + 1 + 1
    assert variables["SIGNALPOST_IN_FLIGHT"] == "1000000"
    assert variables["OTEL_SERVICE_NAME"] == 'a "name": {{ x }}'
    assert variables["AWS_REGION"] == "no"
    assert variables["SIGNALPOST_OIDC_CLIENT_SECRET"] == {"secretKeyRef": {"name": "mine", "key": "oidc"}}


@needs_helm
def test_two_releases_in_one_namespace_have_nothing_in_common(tmp_path: Path) -> None:
    first = rendered(tmp_path, of_the_guide())
    other = rendered(tmp_path, of_the_guide(), release="workers")
    names = [{(each["kind"], each["metadata"]["name"]) for each in documents} for documents in (first, other)]
    assert not set.intersection(*names)
    selector = of_kind("Service", other)["spec"]["selector"]
    assert not selector.items() <= of_kind("Deployment", first)["spec"]["template"]["metadata"]["labels"].items()
    assert selector.items() <= of_kind("Deployment", other)["spec"]["template"]["metadata"]["labels"].items()


WRONG: Sequence[tuple[Mapping[str, Any], str]] = (
    ({"settings": {"PUBLIC_URL": "https://a.example"}}, "FILES_URL"),
    ({"settings": {**NEEDED, "PUBLIC_URI": "x"}}, "PUBLIC_URI"),
    ({"settings": {**NEEDED, "OPERATOR_KEY": "sp_"}}, "OPERATOR_KEY"),
    ({"settings": {**NEEDED, "PORT": "80"}}, "PORT"),
    ({"settings": {**NEEDED, "IN_FLIGHT": 512}}, "IN_FLIGHT"),
    ({"settings": {**NEEDED, "IN_FLIGHT": "many"}}, "IN_FLIGHT"),
    ({"settings": {**NEEDED, "ROLE": "boss"}}, "ROLE"),
    ({"settings": {**NEEDED, "FILES_URL": "/data/files"}}, "FILES_URL"),
    ({"env": {"AWS_REGION": 1}}, "AWS_REGION"),
    ({"env": {"SIGNALPOST_PORT": "80"}}, "SIGNALPOST_PORT"),
    ({"secretEnv": {"A-B": "key"}}, "A-B"),
    ({"replicas": 0}, "replicas"),
    ({"replicas": "3"}, "replicas"),
    ({"replicaCount": 3}, "replicaCount"),
    ({"image": {"tag": 1.2}}, "tag"),
    ({"image": {"pullPolicy": "Sometimes"}}, "pullPolicy"),
    ({"secrets": {"gateways": ""}}, "gateways"),
    ({"resources": {"limit": {}}}, "limit"),
    ({"pod": {"hostNetwork": True}}, "hostNetwork"),
)


@pytest.mark.parametrize(("wrong", "name"), WRONG, ids=lambda each: each if isinstance(each, str) else "")
def test_a_wrong_value_is_refused_by_its_name(wrong: Mapping[str, Any], name: str, tmp_path: Path) -> None:
    values = {"settings": NEEDED, **wrong}
    [error] = Draft202012Validator(SCHEMA).iter_errors(values)
    assert name in f"{error.json_path}: {error.message}"
    if HELM is not None:
        done = helm(tmp_path, values)
        assert done.returncode != 0
        assert name in done.stderr


@needs_helm
def test_helm_finds_nothing_to_say_about_the_chart(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(json.dumps(of_the_guide()))
    command = [str(HELM), "lint", "--strict", str(CHART), "--values", str(tmp_path / "values.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_helm
@pytest.mark.parametrize("version", KUBERNETES)
def test_what_the_chart_renders_is_what_kubernetes_takes(version: str, tmp_path: Path) -> None:
    kubernetes = pytest.importorskip("kubernetes_validate", reason="no schemas of Kubernetes here (make .venv/helm)")
    for values in (of_the_guide(), EVERYTHING):
        for document in rendered(tmp_path, values, "--kube-version", version):
            kubernetes.validate(document, version, strict=True)
