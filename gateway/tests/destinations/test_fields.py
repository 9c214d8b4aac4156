"""What a kind's structs say of placeholders and secrets is what is filled in, and what is not shown."""

from decimal import Decimal
from typing import Annotated, Any

import msgspec
import pytest
from gateway.tests.domain.language.subjects import subject
from msgspec import UNSET, Meta, UnsetType

from signalpost.destinations.fields import (
    Filling,
    JsonTemplate,
    PathTemplate,
    Private,
    SecretText,
    Template,
    Value,
    filled,
    secret,
    secrets_in,
    without_secrets,
)
from signalpost.domain.body import Body, read
from signalpost.domain.errors import Invalid
from signalpost.domain.fields import Text
from signalpost.domain.language.names import Subject
from signalpost.domain.language.template_filters import TemplateError
from signalpost.domain.language.values import written


class Card(Body, frozen=True, kw_only=True, tag_field="as", tag="card"):
    title: Template
    rank: int = 1


class Plain(Body, frozen=True, kw_only=True, tag_field="as", tag="plain"):
    pass


class Config(Body, frozen=True, kw_only=True):
    text: Annotated[Template, Meta(title="Text", min_length=1)] = "{{ document.title }}"
    path: PathTemplate = "/"
    note: Template | None = None
    fixed: Text | UnsetType = UNSET
    members: Annotated[dict[Text, Value], Meta(max_length=9)] = {}
    tags: Annotated[tuple[Template, ...], Meta(max_length=3)] = ()
    look: Card | Plain | UnsetType = UNSET
    json: Annotated[JsonTemplate | UnsetType, Meta(title="JSON")] = UNSET


class Token(Private, frozen=True, kw_only=True, tag_field="with", tag="token"):
    token: Annotated[SecretText, secret("Token", "From the admin's page.", "t-1"), Meta(pattern="^t-")]


class Anyone(Body, frozen=True, kw_only=True, tag_field="with", tag="anyone"):
    pass


class Account(Body, frozen=True, kw_only=True):
    name: str
    sign_in: Annotated[Token | Anyone, Meta(title="Signs in with")]
    api_keys: Annotated[
        dict[str, Annotated[SecretText, secret("Key", "One of several.", "k-1")]], Meta(max_length=9)
    ] = {}
    spare: Annotated[SecretText, secret("Spare", "If the first is lost.", "t-2")] | None = None


TITEL = "At 13: There is no document.titel; did you mean title?"
OBJECT = "document is an object; name one of its members."


def shout(text: str) -> str:
    return text.upper()


def errors_of(value: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(Invalid) as caught:
        read(Config, value)
    return [(error.pointer, error.code, error.detail) for error in caught.value.errors]


def test_a_config_is_filled_in_wherever_it_has_placeholders() -> None:
    config = Config(
        text="<b> {{ document.status }}",
        path="/x/{{ document.counterpartyName }}",
        members={"Amount": "{{ document.contractValue }}", "Open": True, "Stage": "won", "None": None},
        tags=("a", "{{ document.status }}"),
        look=Card(title="{{ document.status }}", rank=2),
        json={"a": ["{{ document.contractValue }}", "{{ document.status }}!", 1, None], "b": {"c": "{{ document }}"}},
    )
    to = subject()
    assert filled(config, to, written) == Config(
        text="<b> approved",
        path="/x/Company%20%3CA%3E%20%26%20Sons",
        members={"Amount": 12500.5, "Open": True, "Stage": "won", "None": None},
        tags=("a", "approved"),
        look=Card(title="approved", rank=2),
        json={"a": [12500.5, "approved!", 1, None], "b": {"c": to.document}},
    )


def test_what_placeholders_bring_is_escaped_as_the_kind_says_but_in_a_path() -> None:
    found = filled(Config(text="a {{ document.status }}", path="/{{ document.status }}"), subject(), shout)
    assert (found.text, found.path) == ("a APPROVED", "/approved")


def test_a_filling_is_made_once_and_serves_every_event() -> None:
    filling = Filling(Config(text="{{ document.status }}"))
    assert [filling.filled(subject(status=status), written).text for status in ("paused", "other")] == [
        "paused",
        "other",
    ]


def test_a_config_without_placeholders_stays_the_same() -> None:
    class Nothing(Body, frozen=True, kw_only=True):
        name: str

    config = Nothing(name="{{ is text here }}")
    assert filled(config, subject(), shout) is config


@pytest.mark.parametrize(
    ("value", "pointer", "code", "detail"),
    [
        ({"text": "{{ document.titel }}"}, "/text", "bad_template", TITEL),
        ({"text": ""}, "/text", "wrong_length", "This must have 1 to 4096 characters; it has 0."),
        ({"text": "{{ document }}"}, "/text", "bad_template", OBJECT),
        ({"path": "{{"}, "/path", "bad_template", "At 3: A name is missing, such as document.title."),
        ({"members": {"a": "{{ document.x }}"}}, "/members/a", "bad_template", "At 13: There is no document.x."),
        ({"members": {"a": "{{ document }}"}}, "/members/a", "bad_template", OBJECT),
        ({"tags": ["a", "{{ x }}"]}, "/tags/1", "bad_template", "At 4: There is no x."),
        ({"look": {"as": "card", "title": "{{ x }}"}}, "/look/title", "bad_template", "At 4: There is no x."),
        ({"json": {"a": [{"b": "{{ x }}"}]}}, "/json/a/0/b", "bad_template", "At 4: There is no x."),
        (
            {"json": {"{{ document.title }}": 1}},
            "/json/{{ document.title }}",
            "bad_template",
            "A member's name cannot have placeholders; put them into its value.",
        ),
        ({"json": ["{{ document.title }}"] * 65}, "/json", "too_many", "There can be at most 64 placeholders in all."),
        ({"json": [0] * 1000}, "/json", "too_many", "There can be at most 1000 values in all."),
        ({"json": Decimal("1e400")}, "/json", "out_of_range", "This number is too large or too small for a double."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_its_member(value: Any, pointer: str, code: str, detail: str) -> None:
    assert errors_of(value) == [(pointer, code, detail)]


def test_json_that_is_too_deep_is_refused_where_it_is() -> None:
    value: Any = 1
    for _ in range(16):
        value = [value]
    [(pointer, code, _)] = errors_of({"json": value})
    assert (pointer, code) == ("/json" + "/0" * 16, "too_deep")


def test_no_more_is_named_than_a_person_reads() -> None:
    assert len(errors_of({"json": [[["{{ x }}"] * 9] * 9] * 9})) == Invalid.MAX_NAMED


def test_json_is_kept_with_doubles_for_exact_numbers() -> None:
    assert read(Config, {"json": {"a": [Decimal("0.5"), 1, "x", None, True]}}).json == {"a": [0.5, 1, "x", None, True]}


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (Config(text="{{ document.title | number }}"), "text: document.title: 'Service Agreement for Company A' is"),
        (Config(members={"a": "{{ document.title | number }}"}), "members.a: document.title: "),
        (Config(tags=("a", "{{ document.title | number }}")), "tags.1: document.title: "),
        (Config(look=Card(title="{{ document.title | number }}")), "look.title: document.title: "),
        (Config(json={"a": [0, "{{ document.title | number }}"]}), "json.a.1: document.title: "),
    ],
)  # fmt: skip
def test_what_cannot_be_filled_in_names_its_member(config: Config, sentence: str) -> None:
    with pytest.raises(TemplateError) as caught:
        filled(config, subject(), written)
    assert str(caught.value).startswith(sentence)


def test_json_that_would_be_larger_than_an_event_is_not_made() -> None:
    to: Subject = subject(additional_facts={str(number): "x" * 4096 for number in range(64)})
    with pytest.raises(TemplateError, match="at most 1048576 are sent"):
        filled(Config(json=["{{ document }}"] * 5), to, written)


# --- Secrets ----------------------------------------------------------------------------------------------------------

ACCOUNT = Account(name="a", sign_in=Token(token="t-7"), api_keys={"x": "k-7"}, spare="t-8")


def test_every_secret_of_a_connection_is_found() -> None:
    assert secrets_in(ACCOUNT) == ["t-7", "k-7", "t-8"]
    assert secrets_in(Account(name="a", sign_in=Anyone())) == []


def test_a_connection_is_shown_with_null_for_each_secret() -> None:
    assert without_secrets(ACCOUNT) == {
        "name": "a",
        "signIn": {"with": "token", "token": None},
        "apiKeys": {"x": None},
        "spare": None,
    }


def test_the_schema_says_which_members_are_secret() -> None:
    schema = msgspec.json.schema(Account)["$defs"]
    token = schema["Token"]["properties"]["token"]
    assert (token["writeOnly"], token["format"]) == (True, "password")
    assert token["pattern"] == "^t-"
    assert "t-7" not in repr(ACCOUNT.sign_in)
