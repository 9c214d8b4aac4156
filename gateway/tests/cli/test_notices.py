import pytest
from gateway.tests.cli.command import Run, json_of

pytestmark = pytest.mark.slow


def test_what_is_wrong_is_listed_and_an_unknown_notice_cannot_be_muted(run: Run) -> None:
    assert json_of(run("notices", "list", "--json")) == []
    assert "Nothing is wrong." in run("notices", "list").stdout
    absent = "01a20e92-1d5f-76d4-985f-8a63b2c66f94"
    assert "Nothing with this id is open now." in run("notices", "mute", absent, code=1).stderr
    assert "--hours" in run("notices", "mute", absent, "--hours", "721", code=1).stderr
