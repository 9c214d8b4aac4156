import re
import time
from pathlib import Path
from typing import Any

import pytest
from receiver.tests.requests import event_body, signed
from receiver.tests.test_reconcile import gateway

RECEIVER = Path(__file__).parent.parent
GUIDE = RECEIVER.parent / "docs" / "guides" / "receive-events.md"
SECRET = "my secret token"


def blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def test_the_readmes_examples_work(capsys: Any) -> None:
    names: dict[str, Any] = {}
    for code in blocks(RECEIVER / "README.md"):
        exec(code, names)
    assert capsys.readouterr().out == "Service Agreement for Company A 1250.50\n"
    body = event_body().replace(b'"awaitingReview"', b'"executed"')
    headers = signed(body, at=time.time(), secret=SECRET)
    assert [names["webhook"](body, headers) for _ in range(2)] == [204, 204]
    assert capsys.readouterr().out == "state 1 0.0\n"
    assert names["webhook"](body + b" ", headers) == 401
    assert names["webhook"](body, {}) == 401


def test_the_guides_examples_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"secret": SECRET, "key": "sp_key", "last_sequence": 7}
    verify, buffer, reconcile = blocks(GUIDE)
    body = event_body()
    headers = signed(body, at=time.time(), secret=SECRET)
    exec(verify, names)
    assert names["receiver"].verify(body, headers).id == "event-1"
    exec(buffer, names)
    names["receiver"].on()(lambda event: print(event.id))
    names["receiver"].receive(body, headers)
    names["work"]()
    names["store"].close()
    assert capsys.readouterr().out.startswith("event-1\nResult(")
    with gateway({"/v1/events?after=7&limit=100": (200, b'{"data": [], "last": 7}')}) as (url, _):
        exec(reconcile.replace("https://gateway.example.com", url), names)
    assert names["last_sequence"] == 7
