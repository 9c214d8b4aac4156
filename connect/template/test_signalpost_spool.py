"""The source keeps what every source promises, before a real gateway."""

import json
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import pytest
from signalpost_spool import Spool, SpoolConfig

from signalpost_connect import Source
from signalpost_connect.testing import Change, Conformance, ServedGateway, served_gateway


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGateway]:
    with served_gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running


class TestSpool(Conformance):
    @pytest.fixture(autouse=True)
    def _given(self, tmp_path: Path, gateway: ServedGateway) -> None:
        self.gateway = gateway
        self.folder, self.dead_folder = tmp_path / "spool", tmp_path / "dead"
        self.folder.mkdir()
        self.dead_folder.mkdir()
        self.numbers = count(1)

    def source(self) -> Source:
        return Spool(SpoolConfig(str(self.folder), str(self.dead_folder)))

    def put(self, changes: Sequence[Change]) -> None:
        for change in changes:
            (self.folder / f"{next(self.numbers)}.json").write_text(json.dumps(change.line))

    def left(self) -> int:
        return len([*self.folder.iterdir()])

    def dead(self) -> Sequence[str]:
        return [file.read_text() for file in self.dead_folder.glob("*.problem")]
