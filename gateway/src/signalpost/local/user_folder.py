"""The folder in which the local tools keep what outlives a command: the secret of `listen`, where the emulator is.

It belongs to one person on one machine, so it is below their home, and not in a folder that others can write.
"""

import os
from pathlib import Path


def user_folder() -> Path:
    """The folder, whether or not it exists: below XDG_STATE_HOME, or else ~/.local/state."""
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "signalpost"


def emulator_folder() -> Path:
    """The folder with the address and the key of the emulator that was started last, laid out like a gateway's data
    directory; empty if none runs."""
    return user_folder() / "emulator"


def made_folder(folder: Path) -> Path:
    """The folder, made if need be so that others cannot read it. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
