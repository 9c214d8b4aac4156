"""Writes `values.schema.json` beside it, with the settings that a gateway has:
`.venv/bin/python deploy/helm/make_schema.py`. A test keeps it so.
"""

import json
from pathlib import Path
from typing import Any

from msgspec.structs import fields

from signalpost.settings import SETTINGS, Settings
from signalpost.store.nouns.fleet import NodeRole

FILE = Path(__file__).with_name("values.schema.json")

OF_THE_CHART = ("data_dir", "host", "port", "metrics_port", "processes", "master_key_file", "tls_cert", "tls_key")
"""What the pod decides: its volumes, probes and secrets know these, and one process is in each pod."""

WHOLE, SHARE = {"pattern": "^[0-9]+$"}, {"pattern": r"^[0-9]+(\.[0-9]+)?$"}
CLOSER: dict[str, dict[str, Any]] = {
    "files_url": {"pattern": "^s3://."},
    "public_url": {"pattern": "^https?://."},
    "role": {"enum": [*NodeRole]},
}
"""What a text must be like. The gateway itself checks the rest when it starts."""

NAME, TEXT = {"type": "string", "minLength": 1}, {"type": "string"}
VARIABLE = "^[A-Za-z_][A-Za-z0-9_]*$"
QUANTITIES = {"type": "object", "additionalProperties": {"type": ["string", "number"]}}


def closed(**members: Any) -> dict[str, Any]:
    """An object with these members, and no others."""
    return {"type": "object", "additionalProperties": False, "properties": members}


def settings() -> dict[str, Any]:
    """The settings that the chart takes: no secret, and nothing that it sets itself."""
    by_type = {field.name: {int: WHOLE, float: SHARE}.get(field.type, {}) for field in fields(Settings)}
    return {
        name.upper(): {"type": "string", "description": setting.help, **by_type[name], **CLOSER.get(name, {})}
        for name, setting in SETTINGS.items()
        if not setting.secret and name not in OF_THE_CHART
    }


def schema() -> dict[str, Any]:
    """What the chart takes, as JSON Schema. Helm names the member that is wrong."""
    values = closed(
        image=closed(
            repository=NAME,
            tag={"type": "string", "pattern": r"^(\w[\w.-]{0,127}(@sha256:[0-9a-f]{64})?)?$"},
            pullPolicy={"enum": ["Always", "IfNotPresent", "Never"]},
        ),
        replicas={"type": "integer", "minimum": 1},
        settings={**closed(**settings()), "required": ["PUBLIC_URL", "FILES_URL"]},
        env={"type": "object", "propertyNames": {"pattern": VARIABLE, "not": {"pattern": "^(SIGNALPOST|OTEL)_"}},
             "additionalProperties": TEXT},
        secretEnv={"type": "object", "propertyNames": {"pattern": VARIABLE}, "additionalProperties": NAME},
        secrets=closed(gateways=NAME, migrations=NAME),
        resources=closed(requests=QUANTITIES, limits=QUANTITIES),
        pod=closed(
            serviceAccountName=NAME,
            imagePullSecrets={"type": "array", "items": closed(name=NAME)},
            nodeSelector={"type": "object", "additionalProperties": TEXT},
            tolerations={"type": "array", "items": {"type": "object"}},
            affinity={"type": "object"},
            priorityClassName=NAME,
        ),
        **{"global": {"type": "object", "description": "What Helm gives a chart that is part of another."}},
    )  # fmt: skip
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **values}


def text() -> str:
    """The file's content."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
