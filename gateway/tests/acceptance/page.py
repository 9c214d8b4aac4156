"""What the public page gives to its readers, as it stands there: a receiver was written with this and nothing else."""

import hashlib
import hmac
from typing import Any


def verify_signature(payload: Any, headers: Any, secret_token: Any) -> Any:
    actual_signature = headers["plexus-webhook-signature"]
    expected_signature = hmac.new(key=secret_token, msg=payload, digestmod=hashlib.sha512).hexdigest()
    return hmac.compare_digest(actual_signature, expected_signature)
