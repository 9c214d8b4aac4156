"""Signs requests with Amazon's own library, in the environment of `make queues`.

It reads a list of requests as JSON from its input, and writes the headers that each was signed with. The time is the
present one; a signature says which.
"""

import json
import sys
from typing import Any

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ADDED = ("x-amz-date", "x-amz-content-sha256", "authorization")


def signed(asked: dict[str, Any]) -> dict[str, str]:
    """The headers that the library adds."""
    url = f"http://{asked['headers']['host']}{asked['target']}"
    request = AWSRequest(method=asked["method"], url=url, headers=asked["headers"], data=asked["body"].encode())
    signer = S3SigV4Auth if asked["service"] == "s3" else SigV4Auth
    signer(Credentials(asked["key_id"], asked["secret"]), asked["service"], asked["region"]).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items() if name.lower() in ADDED}


if __name__ == "__main__":
    print(json.dumps([signed(each) for each in json.load(sys.stdin)]))
