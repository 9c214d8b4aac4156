"""Values that a JSON Schema allows, with the texts that forms find hard."""

import re
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

Schema = Mapping[str, Any]
ODD = (
    "null", "true", "12", "1.50", "-0", "1e400", "[]", "{}", '"quoted"', '"', "a = b", "=", "= a", "on", "off", "***",
    "", " ", " edges ", "a\nb", "a\r\nb", "a\rb", "\n", "\nleading", "trailing\n", "a\n\nb", "\t", "a, b", "&amp;",
    "&#13;", "<script>", "</textarea>", "{{ document.title }}", "{{ document.title }}\n{{ document.contractValue }}",
    "a\u2028b", "a\x85b", "a\x0bb", "\u00a0", "\u202egnp", "\ufeff", "é", "e\u0301", "🖋", "\\", "\\n", "a\\",
)  # fmt: skip
TEXTS = st.sampled_from(ODD) | st.text(
    st.sampled_from("ab 1=\"'<&;:,.#{}[]\\\n\r\t\x85\u2028é🖋") | st.characters(codec="utf-8", exclude_characters="\0"),
    max_size=12,
)
NUMBERS = st.sampled_from((0, 1, -1, 0.5, 12.0, 1e22, -0.0, 10**15)) | st.integers(-(10**6), 10**6)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def values_of(schema: Schema, definitions: Schema | None = None) -> st.SearchStrategy[Any]:
    definitions = schema.get("$defs", {}) if definitions is None else definitions
    if "$ref" in schema:
        return values_of(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of([values_of(each, definitions) for each in schema["anyOf"]])
    match schema.get("type"):
        case "object" if "properties" in schema:
            members = {name: values_of(each, definitions) for name, each in schema["properties"].items()}
            required = {name: members.pop(name) for name in schema.get("required", ())}
            return st.fixed_dictionaries(required, optional=members)
        case "object":
            names = values_of({"type": "string", **schema.get("propertyNames", {})}, definitions)
            values = values_of(schema["additionalProperties"], definitions)
            return st.dictionaries(names, values, max_size=4)
        case "array":
            least, most = schema.get("minItems", 0), min(schema.get("maxItems", 3), 3)
            return st.lists(values_of(schema["items"], definitions), min_size=least, max_size=most)
        case "string":
            return _texts(schema)
        case "integer":
            return st.integers(schema.get("minimum", -(10**6)), schema.get("maximum", 10**6))
        case "number":
            return NUMBERS
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
    return JSON


def _texts(schema: Schema) -> st.SearchStrategy[str]:
    least, most = schema.get("minLength", 0), schema.get("maxLength", 100)
    if schema.get("format") in ("uri", "password") and schema.get("examples"):
        return st.sampled_from(schema["examples"])
    drawn = st.from_regex(re.compile(schema["pattern"])) if "pattern" in schema else TEXTS
    return drawn.filter(lambda text: least <= len(text) <= most and "\0" not in text and _is_utf_8(text))


def _is_utf_8(text: str) -> bool:
    return text.encode("utf-8", "replace").decode() == text


def mended(value: Any, schema: Schema, refused: list[str]) -> Any:
    """A value that was refused, with the schema's own examples wherever something was wrong."""
    for pointer in refused:
        value = _with_example(value, schema, schema.get("$defs", {}), pointer.split("/")[2:])
    return value


def _with_example(value: Any, schema: Schema, definitions: Schema, way: list[str]) -> Any:
    while "$ref" in schema:
        schema = {**definitions[schema["$ref"].rpartition("/")[2]], **{k: v for k, v in schema.items() if k != "$ref"}}
    if way and "properties" in schema and isinstance(value, dict) and way[0] in schema["properties"]:
        below = _with_example(value.get(way[0]), schema["properties"][way[0]], definitions, way[1:])
        return {**value, way[0]: below}
    examples = [each for each in schema.get("examples", ()) if each is not None]
    return examples[0] if examples else value
