"""Writes docs/first-minute.md: a receiver's first minute, as it really ran.

Run `.venv/bin/python docs/make_first_minute.py`. A test runs the same session, and fails if one of its commands fails
or the page is out of date.
"""

import os
import re
import tempfile
from pathlib import Path

from recorded_session import Session

ROOT = Path(__file__).parents[1]
KEY = re.compile(r"sp_[A-Za-z0-9_-]{43}")
HEAD = """# A receiver's first minute

You write a program that receives events. Here it meets its first ones, on your own machine: without an account, a
tunnel, or a gateway of anybody. All of this really ran, in an empty folder with a copy of
[`receiver.py`](../examples/receiver.py), and with `.venv/bin` on the `PATH`; ids and times are those of its last run.
[Test a receiver](guides/test-a-receiver.md) goes on from here.
"""


def play(folder: Path, port: int, receiver_port: int) -> str:
    """Run the session, and return the page."""
    (folder / "receiver.py").write_text((ROOT / "examples" / "receiver.py").read_text())
    session = Session(HEAD, folder, {**os.environ, "XDG_STATE_HOME": str(folder / "state")})
    session.say(
        "Start a gateway for tests. It has nothing in it, delivers to this machine only, and leaves nothing behind."
    )
    with session.background(f"signalpost emulator --port {port}", "export"):
        session.say(
            "Start the receiver, with the secret that `listen` signs with: it is made once, and stays the same. Then "
            "have every event forwarded to it."
        )
        receive = f'python receiver.py "$(signalpost listen --print-secret)" {receiver_port}'
        with session.background(receive, "listening on") as received:
            with session.background(f"signalpost listen --forward-to {receiver_port}", "print-secret") as forwarded:
                _first_event(session, received, forwarded)
            _examined(session, receiver_port)
    return KEY.sub("sp_…", "".join(session.parts))


def _first_event(session: Session, received: Path, forwarded: Path) -> None:
    session.say("Make something happen: somebody creates a contract, and everybody signs it.")
    session.run("signalpost trigger documentUpdated --set status=executed")
    session.wait_for(received, "verified", 2)
    session.wait_for(forwarded, "<--", 2)
    session.say("The receiver verified both events, and this is what `listen` says meanwhile:")
    lines = [line for line in forwarded.read_text().splitlines() if re.match(r"\d\d:", line)]
    session.show("\n".join(lines))
    session.say("The receiver's output:")
    session.show(received.read_text())


def _examined(session: Session, receiver_port: int) -> None:
    session.say("Is it a good receiver? Examine it.")
    variable = 'SIGNALPOST_SECRET="$(signalpost listen --print-secret)"'
    session.run(f"{variable} signalpost doctor http://127.0.0.1:{receiver_port}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        page = play(Path(folder), 8180, 9000)
    (ROOT / "docs" / "first-minute.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
