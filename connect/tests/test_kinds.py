"""Which mappings a source can have."""

from typing import Any

import pytest
from connect.tests.test_pump import Queue

from signalpost_connect.config import BadConfig, Config, GatewayConfig, Secret
from signalpost_connect.kinds import make_lines


class QueueWithoutVersions(Queue):
    """A queue that does not number its messages."""

    has_versions = False


def config(mapping: dict[str, Any] | None) -> Config:
    return Config(GatewayConfig("http://gateway", Secret(env="KEY")), {"kind": "queue"}, mapping)


def test_a_mapping_without_a_version_is_refused_if_messages_have_none() -> None:
    with pytest.raises(BadConfig, match=r"mapping\.sourceVersion: messages of this source have no version"):
        make_lines(config({"title": "{{ body.title }}"}), QueueWithoutVersions())


def test_a_version_may_be_in_the_mapping_or_in_the_line_itself() -> None:
    make_lines(config({"sourceVersion": "{{ body.revision }}"}), QueueWithoutVersions())
    make_lines(config(None), QueueWithoutVersions())
    make_lines(config({"title": "{{ body.title }}"}), Queue())
