"""Tables and lists in which each noun has a line of its own: none that has a module was left out."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from cyclopts import App

from signalpost.api import resources, routes
from signalpost.cli import commands
from signalpost.cli.command_table import CLIENT_COMMANDS, GATEWAY_COMMANDS, RECEIVER_COMMANDS
from signalpost.commands.audit import _MEMBERS
from signalpost.console import pages
from signalpost.console.app import SECTIONS
from signalpost.store import tables
from signalpost.store.tables.table import Table


def modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in iter_modules(package.__path__, f"{package.__name__}."):
        yield import_module(found.name)


def test_every_call_of_a_noun_is_in_the_route_table() -> None:
    for module in modules(resources):
        for route in getattr(module, "ROUTES", ()):
            assert route in (*routes.ROUTES, *routes.OPEN_ROUTES), route.name


def test_every_page_of_a_noun_is_in_the_table_of_pages_and_in_a_section() -> None:
    for module in modules(pages):
        for page in getattr(module, "PAGES", ()):
            assert page in pages.PAGES
            assert page.section in {"", *(word for _, word, _, _ in SECTIONS)}, page.path


def test_every_described_table_is_read_and_written() -> None:
    for module in modules(tables):
        for table in (each for each in vars(module).values() if isinstance(each, Table)):
            assert table in tables.TABLES.values(), table.name


def test_the_audit_says_what_it_shows_of_every_row_that_commands_change() -> None:
    assert tables.TABLES.keys() <= _MEMBERS.keys()


def test_every_group_of_commands_is_in_the_list_of_commands() -> None:
    listed = {*GATEWAY_COMMANDS, *CLIENT_COMMANDS, *RECEIVER_COMMANDS}
    for module in modules(commands):
        if isinstance(getattr(module, "app", None), App):
            assert f"{module.__name__}:app" in listed
