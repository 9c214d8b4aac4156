"""What counts as a docstring that a reader would stumble over."""

from pathlib import Path

import pytest
from checks.words import UNREAD, check_source, check_tree, fault, vagueness


@pytest.mark.parametrize(
    "docstring",
    [
        "Of a file None.",
        "Those that run, oldest first.",
        "So many attempts are durable now.",
        "Whose request it is.",
        "By queue.",
        "Its key in the store.",
        "It waits for its turn.",
        "As the route table names them.",
        "Also of what is not there.",
    ],
)
def test_a_docstring_that_begins_in_the_middle_of_a_sentence_is_found(docstring: str) -> None:
    opening = docstring.split()[0]
    message = fault("state", docstring)
    assert message is not None
    assert f'begins with "{opening}"' in message


@pytest.mark.parametrize(
    "docstring",
    [
        "Subscriptions that run, oldest first.",
        "Waiting commands, by queue.",
        "Whether the whole body has arrived.",
        "The number of nodes as of now.",
        "By default, attempts take 5 seconds.",
        "C16",
        "C17, strict",
        "C19 to C21.",
        "C1, C6",
    ],
)
def test_a_docstring_that_stands_alone_is_not_found(docstring: str) -> None:
    assert fault("state", docstring) is None


@pytest.mark.parametrize(
    "docstring",
    [
        "Handles what came of an attempt.",
        "The database of before is kept.",
        "The data keys of now seal nothing more.",
        "Operators alone may read it.",
        "What the owner alone knows of a lane.",
    ],
)
def test_words_that_no_one_says_aloud_are_found(docstring: str) -> None:
    message = fault("state", docstring)
    assert message is not None
    assert message.startswith("no one says")


@pytest.mark.parametrize(
    "docstring",
    [
        "The last key; None where there is none.",
        "Read a file. Raises ValueError where it is no JSON.",
        "A row that nobody holds.",
        "The name of whoever asked.",
        "Nobody waits for it.",
    ],
)
def test_a_docstring_that_leaves_a_condition_or_a_person_open_is_found(docstring: str) -> None:
    assert "leaves open" in (vagueness(docstring) or "")


def test_a_place_and_the_name_of_a_user_are_not_vague() -> None:
    assert vagueness("Where a chain begins; the part where it ends; a server that `nobody` runs.") is None


def test_a_class_that_is_named_by_a_participle_is_found_but_not_an_error() -> None:
    names = ("Asked", "_Kept", "AskedQuestion", "Gone(CallerError)", "Need")
    source = "\n".join(f"class {name}: ..." for name in names)
    found = check_source("gateway/src/signalpost/domain/a.py", source, is_interface=False)
    assert [finding.line for finding in found] == [1, 2]


def test_a_folder_that_was_not_gone_through_may_have_vague_words() -> None:
    source = 'class Asked:\n    """What somebody asked for."""\n'
    assert not [*check_source(UNREAD[0] + "a.py", source, is_interface=False)]


@pytest.mark.parametrize(
    ("name", "docstring"),
    [
        ("tenant", "The tenant."),
        ("LaneWorker", "A lane worker."),
        ("HttpConnection", "One HTTP connection."),
        ("get_subscriptions", "Gets the subscription."),
        ("deliveries", "Deliveries are."),
    ],
)
def test_a_docstring_that_only_repeats_the_name_is_found(name: str, docstring: str) -> None:
    message = fault(name, docstring)
    assert message is not None
    assert "only repeats the name" in message


def test_a_docstring_that_adds_a_unit_or_a_meaning_to_the_name_is_not_found() -> None:
    assert fault("timeout", "The timeout in seconds.") is None
    assert fault("LaneWorker", "Decides whether its lane may send.") is None


def test_a_docstring_of_one_word_is_found() -> None:
    assert "one word" in (fault("SIZE", "Bytes.") or "")


INTERFACE = '''"""Stores things for a test."""

SIZE = 1

class Store:
    def read(self):
        def local(): ...

    def _private(self): ...

class _Private:
    def write(self): ...

def open_store():
    """Open what was stored."""
'''


def test_in_an_interface_every_public_class_and_function_has_a_docstring() -> None:
    found = list(check_source("store.py", INTERFACE, is_interface=True))
    assert [(finding.line, finding.message) for finding in found] == [
        (5, "the class `Store` is public and has no docstring"),
        (6, "the function `read` is public and has no docstring"),
    ]


def test_what_is_overloaded_is_documented_where_it_is_implemented() -> None:
    source = '"""Tells how a store is read."""\n@overload\ndef read(key: str) -> str: ...\ndef read(key): ...\n'
    found = list(check_source("store.py", source, is_interface=True))
    assert [(finding.line, finding.message) for finding in found] == [
        (4, "the function `read` is public and has no docstring")
    ]


def test_elsewhere_nothing_needs_a_docstring() -> None:
    assert list(check_source("store.py", INTERFACE, is_interface=False)) == []


def test_docstrings_of_attributes_are_checked_in_modules_classes_and_initialisers() -> None:
    source = '''
LIMIT = 3
"""Of connections."""
class Lane:
    head: int
    """The last one taken in."""
    def __init__(self):
        self.open = []
        """Those in flight."""
        local = 1
        """Of no interest."""
'''
    assert [finding.line for finding in check_source("lane.py", source, is_interface=False)] == [2, 8]


def test_a_module_is_known_by_the_name_of_its_folder_where_it_is_a_package() -> None:
    found = list(check_source("a/store/__init__.py", '"""The store."""', is_interface=False))
    assert [finding.message.split(";")[0] for finding in found] == ["the docstring only repeats the name `store`"]


def test_a_tree_is_looked_through_from_its_root(tmp_path: Path) -> None:
    module = tmp_path / "gateway" / "src" / "signalpost" / "gateway.py"
    module.parent.mkdir(parents=True)
    module.write_text('"""Wires the parts together."""\nclass Gateway: ...\n')
    (module.parent / "lane.py").write_text('"""Of lanes."""\n')
    found = check_tree(tmp_path, ["gateway"])
    assert [(finding.path.rsplit("/", 1)[1], finding.line) for finding in found] == [("gateway.py", 2), ("lane.py", 1)]
