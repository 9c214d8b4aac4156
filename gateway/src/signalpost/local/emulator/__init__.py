"""A gateway for tests: it lives in a temporary folder, makes documents do things, and says what was delivered."""

from typing import Final

RUN_HEADER: Final = "signalpost-emulator-run"
"""The header that names the gateway that answered. A reset makes a new gateway, whose log begins at 1 again."""
