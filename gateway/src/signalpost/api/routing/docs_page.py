"""The description of the API as a page for people: one piece of HTML that loads nothing."""

import json
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from shlex import quote
from typing import Any

from signalpost.api.http.multipart import MEDIA_TYPE as MULTIPART

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --accent: #08734e; }
@media (prefers-color-scheme: dark) { :root { --accent: #4cc795; } }
html { background: Canvas; color: CanvasText; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 62rem; padding: 1rem 1.5rem 6rem; }
h1 { margin-bottom: 0; } h2 { margin-top: 3rem; text-transform: capitalize; border-bottom: 1px solid var(--line); }
nav { display: flex; flex-wrap: wrap; gap: 0 1rem; } a { color: var(--accent); }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0; padding: 0 1rem; }
summary { cursor: pointer; padding: .6rem 0; } summary code { font-weight: 600; }
.method { display: inline-block; min-width: 4.4rem; margin-right: .3rem; color: var(--accent); font-weight: 700; }
.what { opacity: .75; margin-left: .6rem; }
table { border-collapse: collapse; table-layout: fixed; width: 100%; margin: .5rem 0 1rem; }
td { border-top: 1px solid var(--line); padding: .3rem .6rem .3rem 0; vertical-align: top; overflow-wrap: anywhere; }
td:nth-child(3) { width: 45%; }
pre { background: var(--soft); border-radius: .4rem; overflow-x: auto; padding: .7rem; font-size: .85rem; }
code { font-size: .9em; overflow-wrap: anywhere; } h4 { margin: 1rem 0 .2rem; }
details > div { scroll-margin-top: 4rem; } details:has(> :target) > summary { color: var(--accent); }
@media (max-width: 40rem) {
  body { padding: .5rem 1rem 4rem; } .what { display: block; margin: 0; }
  table, tbody, tr, td { display: block; } td:nth-child(n) { width: auto; } td { padding: 0; } td + td { border: 0; }
  tr { padding: .3rem 0; }
}
"""


def render(openapi: Mapping[str, Any]) -> str:
    """The page of an OpenAPI document as `openapi.describe` makes it."""
    info, components = openapi["info"], openapi["components"]
    schemas = components["schemas"]
    tags = [tag["name"] for tag in openapi["tags"]]
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(info["title"])} API</title>',
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>',
        f"<body><main><h1>{escape(info['title'])} API</h1>",
        f'<p>Version {escape(info["version"])} · <a href="openapi.json">openapi.json</a></p>',
        f"<p>{_prose(info['description'])}</p>",
        "<p>Send your key with every call: <code>Authorization: Bearer sp_…</code></p>",
        "<nav>"
        + "".join(f'<a href="#about-{escape(tag)}">{escape(tag)}</a>' for tag in (*tags, "webhooks", "types"))
        + "</nav>",
    ]
    for tag in tags:
        parts.append(f'<h2 id="about-{escape(tag)}">{escape(tag)}</h2>')
        for path, operations in openapi["paths"].items():
            calls = {method: call for method, call in operations.items() if tag in call["tags"]}
            parts += [_call(path, method, _whole(call, components), schemas) for method, call in calls.items()]
    parts.append('<h2 id="about-webhooks">webhooks</h2><p>What the endpoint of a subscription receives.</p>')
    parts += [_webhook(name, operations["post"], schemas) for name, operations in openapi["webhooks"].items()]
    parts.append('<h2 id="about-types">types</h2>')
    parts += [_type(name, schema) for name, schema in sorted(schemas.items())]
    parts.append("</main></body></html>")
    return "".join(parts)


def _whole(call: Mapping[str, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    """A call with what it shares with others in the place of references."""

    def found(part: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" not in part:
            return part
        kind, name = part["$ref"].split("/")[2:]
        shared: Mapping[str, Any] = components[kind][name]
        return shared

    responses = {status: found(answer) for status, answer in call["responses"].items()}
    return {**call, "parameters": [found(each) for each in call.get("parameters", ())], "responses": responses}


def _call(path: str, method: str, context: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    anchor = escape(context["operationId"])
    return "".join(
        (
            f'<details><summary><span class="method">{method.upper()}</span><code>{escape(path)}</code>',
            f'<span class="what">{escape(context["summary"])}</span></summary><div id="{anchor}">',
            f"<p>{_prose(context.get('description', 'Needs no key.'))}</p>",
            *_parameters(context.get("parameters", ())),
            *_body(context.get("requestBody"), schemas),
            "<h4>Try it</h4><pre>",
            escape(_curl(path, method, context)),
            "</pre>",
            *_answers(context["responses"]),
            "</div></details>",
        )
    )


def _webhook(name: str, request: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    return "".join(
        (
            f'<details><summary><span class="method">POST</span><code>{escape(name)}</code>',
            f'<span class="what">{escape(request["summary"])}</span></summary><div id="{escape(name)}">',
            f"<p>{_prose(request['description'])}</p>",
            *_parameters(request["parameters"]),
            *_body(request["requestBody"], schemas),
            *_answers(request["responses"]),
            "</div></details>",
        )
    )


def _parameters(parameters: Any) -> Iterator[str]:
    if parameters:
        yield "<h4>Parameters</h4>"
        yield _table(
            (
                f"<code>{escape(each['name'])}</code> in {each['in']}",
                _kind(each["schema"]),
                _prose(each.get("description", "")),
            )
            for each in parameters
        )


def _body(body: Mapping[str, Any] | None, schemas: Mapping[str, Any]) -> Iterator[str]:
    if body is not None:
        media_type, content = next(iter(body["content"].items()))
        kinds = [schemas[_referred(each)] for each in content["schema"].get("anyOf", [content["schema"]])]
        yield f"<h4>Body, <code>{escape(media_type)}</code></h4>{'<p>or</p>'.join(map(_members, kinds))}"


def _answers(responses: Mapping[str, Any]) -> Iterator[str]:
    yield "<h4>Answers</h4>"
    yield _table(
        (
            f"<code>{status}</code>",
            ", ".join(dict.fromkeys(_kind(content["schema"]) for content in answer.get("content", {}).values())),
            _prose(answer["description"]),
        )
        for status, answer in responses.items()
    )


def _curl(path: str, method: str, context: Mapping[str, Any]) -> str:
    lines = [f'curl -s -X {method.upper()} "$SIGNALPOST_URL{path}{_query(context.get("parameters", ()))}"']
    if "security" not in context:
        lines.append('-H "authorization: Bearer $SIGNALPOST_KEY"')
    if (body := context.get("requestBody")) is not None:
        media_type, content = next(iter(body["content"].items()))
        if media_type == MULTIPART:
            lines += [f"-F {quote(f'{name}={value}')}" for name, value in content["example"].items()]
        else:
            lines += [f"-H 'content-type: {media_type}'", f"-d {quote(json.dumps(content['example']))}"]
    return " \\\n  ".join(lines)


def _query(parameters: Any) -> str:
    given = [f"{each['name']}={each['example']}" for each in parameters if "example" in each]
    return f"?{'&'.join(given)}" if given else ""


def _type(name: str, schema: Mapping[str, Any]) -> str:
    about = f"<p>{_prose(schema['description'])}</p>" if "description" in schema else ""
    head = f'<details><summary><code>{escape(name)}</code></summary><div id="type-{escape(name)}">'
    return f"{head}{about}{_members(schema)}</div></details>"


def _members(schema: Mapping[str, Any]) -> str:
    if "properties" not in schema:
        return f"<p>{_kind(schema)}</p>"
    required = schema.get("required", ())
    return _table(
        (
            f"<code>{escape(name)}</code>{'' if name in required else ' (optional)'}",
            _kind(member),
            _prose(member.get("description", "")),
        )
        for name, member in schema["properties"].items()
    )


def _table(rows: Iterable[tuple[str, str, str]]) -> str:
    """A table of names, what each may be, and what it means."""
    lines = (f"<tr><td>{name}</td><td>{kind}</td><td>{meaning}</td></tr>" for name, kind, meaning in rows)
    return f"<table>{''.join(lines)}</table>"


def _referred(schema: Mapping[str, Any]) -> str:
    """The name of the type that a schema refers to."""
    return str(schema["$ref"].rsplit("/", 1)[1])


def _kind(schema: Mapping[str, Any]) -> str:
    """What a schema lets through, in a few words."""
    if "$ref" in schema:
        name = escape(_referred(schema))
        return f'<a href="#type-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_kind, schema["anyOf"])))
    if "enum" in schema:
        return ", ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if "const" in schema:
        return f"<code>{escape(str(schema['const']))}</code>"
    kinds = schema.get("type", schema.get("format", "anything"))
    return " or ".join(_kind_of_type(each, schema) for each in ([kinds] if isinstance(kinds, str) else kinds))


def _kind_of_type(kind: str, schema: Mapping[str, Any]) -> str:
    """The same for one of a schema's types."""
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    bounds = [f"{word} {schema[key]}" for key, (word, kinds) in _BOUNDS.items() if key in schema and kind in kinds]
    shown = schema.get("format", kind) if kind == "string" else kind
    return escape(shown) + (f" ({', '.join(bounds)})" if bounds else "")


_BOUNDS = {
    "minimum": ("from", ("integer", "number")),
    "maximum": ("to", ("integer", "number")),
    "minLength": ("at least", ("string",)),
    "maxLength": ("at most", ("string",)),
    "maxProperties": ("at most", ("object",)),
    "default": ("by default", ("boolean", "integer", "number", "string")),
}
"""Words for bounds, and the types that each is for."""


def _prose(text: str) -> str:
    """Text with `code` in backquotes."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))
