"""Where what is generated goes."""

from pathlib import Path

from client.generator import python, typescript
from client.generator.reading import Reading

_ROOT = Path(__file__).parents[2]
_PYTHON = _ROOT / "client" / "src" / "signalpost_client"
_TYPESCRIPT = _ROOT / "client-node" / "src"


def written(reading: Reading) -> dict[Path, str]:
    """Every generated file with its text."""
    return {
        **{_PYTHON / name: text for name, text in python.files(reading).items()},
        **{_TYPESCRIPT / name: text for name, text in typescript.files(reading).items()},
    }
