"""Where what is generated goes."""

from pathlib import Path

from client.generator import python
from client.generator.reading import Reading

_PYTHON = Path(__file__).parents[1] / "src" / "signalpost_client"


def written(reading: Reading) -> dict[Path, str]:
    """Every generated file with its text."""
    return {_PYTHON / name: text for name, text in python.files(reading).items()}
