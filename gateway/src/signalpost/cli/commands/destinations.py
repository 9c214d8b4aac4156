"""`signalpost destinations`: what events can be sent to besides webhooks."""

from collections.abc import Iterator
from typing import Annotated, Any

from cyclopts import App, Parameter

from signalpost.cli.client import CommandError, connect, path
from signalpost.cli.terminal.output import TEXT, Output, Parts
from signalpost.cli.terminal.parts import Columns, table
from signalpost.domain.language.names import did_you_mean

app = App(name="destinations", help_format="markdown")


@app.command(name="list")
def list_(*, out: Output = TEXT) -> None:
    """List the kinds of destinations that are installed, with the presets of each.

    Example: signalpost destinations list
    """
    found = kinds()
    columns: Columns = {
        "kind": "kind", "title": "title", "presets": lambda each: [preset["name"] for preset in each["presets"]],
    }  # fmt: skip
    out.show(found, table(found, columns, "No kinds are installed.", cut=("presets",)))


@app.command
def show(kind: Annotated[str, Parameter(name="KIND", help="The kind, as listed.")], /, *, out: Output = TEXT) -> None:
    """Show what connections and subscriptions of a kind ask for, and its presets with their blanks.

    Example: signalpost destinations show slack
    """
    installed = {each["kind"]: each for each in kinds()}
    if kind not in installed:
        hint = did_you_mean(kind, installed)
        raise CommandError(f"There is no kind {kind}{hint} List them: signalpost destinations list")
    out.show(installed[kind], _told(installed[kind]))


def _told(found: dict[str, Any]) -> Parts:
    kind = found["kind"]
    yield f"{found['title']}: {found['about']}"
    yield f"\nA connection (signalpost connections create --kind {kind}):"
    yield from _members(found["connection"])
    create = f"signalpost subscriptions create --kind {kind} --connection CONNECTION --config FILE"
    yield f"\nA subscription's config ({create}):"
    yield from _members(found["config"])
    for preset in found["presets"]:
        yield f"\n{preset['name']}: {preset['about']}"
        for blank in preset["inputs"]:
            yield f"  --set {blank['name']}=…  {blank['description']} {_default_of(blank)}"


def _default_of(blank: dict[str, Any]) -> str:
    if "default" not in blank:
        return "(required)"
    return "(optional)" if blank["default"] is None else f"[{blank['default']}]"


def kinds() -> list[dict[str, Any]]:
    """Every kind that is installed, as the API describes it."""
    found: list[dict[str, Any]] = connect().call("GET", path("destinations")).content["data"]
    return found


def _members(schema: dict[str, Any]) -> Iterator[str]:
    return (f"  {line}" for line in members(schema, schema.get("$defs", {}), ""))


def members(schema: dict[str, Any], types: dict[str, Any], before: str) -> list[str]:
    """A line for each member of a schema, named by its path."""
    whole = _followed(schema, types)
    lines = []
    for name, member in whole.get("properties", {}).items():
        needed = "" if name in whole.get("required", ()) else " (optional)"
        about = member.get("description") or member.get("title") or ""
        kinds_of = [_followed(each, types) for each in member.get("anyOf", [member])]
        words = next((f": {', '.join(map(str, each['enum']))}" for each in kinds_of if "enum" in each), "")
        lines.append(f"{before}{name}{needed}{words}  {about}".rstrip())
        for each in kinds_of:
            lines += members(each, types, f"{before}{name}.")
            lines += members(each.get("items", {}), types, f"{before}{name}[].")
    return lines


def _followed(schema: dict[str, Any], types: dict[str, Any]) -> dict[str, Any]:
    """The schema that this one refers to, or itself."""
    reference = schema.get("$ref")
    return schema if reference is None else types[reference.rsplit("/", 1)[1]]
