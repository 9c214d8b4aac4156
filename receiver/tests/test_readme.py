import re
import time
from pathlib import Path
from typing import Any

from signalpost_receiver import Signer

RECEIVER = Path(__file__).parent.parent
BODY = (RECEIVER / "tests" / "examples" / "documentUpdated.json").read_bytes()


def test_the_readmes_examples_work(capsys: Any) -> None:
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", (RECEIVER / "README.md").read_text(), re.DOTALL):
        exec(code, names)
    signer, now = Signer("my secret token"), int(time.time())
    headers = {
        "Webhook-Id": "an-id",
        "Webhook-Timestamp": str(now),
        "Webhook-Signature": signer.standard_signature("an-id", now, BODY),
    }
    assert names["receive"](BODY, headers) == 204
    assert capsys.readouterr().out.endswith("Service Agreement for Company A awaitingReview\n")
    assert names["receive"](BODY + b" ", headers) == 401
    assert names["receive"](BODY, {}) == 401
    assert names["headers"] == {"plexus-webhook-signature": signer.page_signature(b"{}")}
