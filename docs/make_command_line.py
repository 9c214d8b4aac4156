"""Writes the second half of docs/command-line.md, every command with its options, from the commands themselves:
`.venv/bin/python docs/make_command_line.py`. A test keeps it so."""

import re
from pathlib import Path

from signalpost.cli.app import app
from signalpost.settings import SETTINGS

PAGE = Path(__file__).parent / "command-line.md"
MARK = "<!-- What follows is made by `.venv/bin/python docs/make_command_line.py`; do not edit. -->\n"
_SETTINGS_OF_SERVE = "* `--data-dir` and every other [setting](settings.md), such as `--port 8080`\n"


def page() -> str:
    written, _, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    return f"{written.rstrip()}\n\n{MARK}\n## Every command\n\n{_commands()}"


def _commands() -> str:
    described = without_module(app.generate_docs(output_format="markdown", heading_level=2))
    beginning, end = (described.index(f"### signalpost {name}\n") for name in ("serve", "--install-completion"))
    return _without_settings(described[beginning:end].rstrip() + "\n")


def without_module(commands: str) -> str:
    """The commands as `signalpost` has them. If the process was started with `python -m`, Cyclopts takes the words
    `-m MODULE` into the usage of most of them."""
    return re.sub(r"(?<=```console\n)(signalpost .*?) -m \S+", r"\1", commands)


def _without_settings(commands: str) -> str:
    """The commands, of which `serve` does not repeat what the page of settings says."""
    options = "|".join(name.replace("_", "-") for name in SETTINGS)
    start, serve, rest = re.split(r"(?=### signalpost serve\n)|(?=### signalpost check\n)", commands)
    return start + re.sub(rf"(?:\* `--(?:{options}) STR`.*\n)+", _SETTINGS_OF_SERVE, serve) + rest


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
