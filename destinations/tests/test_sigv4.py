"""Signatures of AWS, held against those that Amazon publishes: its suite of tests, and the examples for S3."""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from signalpost.destinations import RequestToSign
from signalpost_destinations.sigv4 import AwsSigner

SUITE = AwsSigner(
    key_id="AKIDEXAMPLE",
    secret="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    region="us-east-1",
    service="service",
)
SUITE_TIME = round(datetime(2015, 8, 30, 12, 36, tzinfo=UTC).timestamp())
S3 = AwsSigner(
    key_id="AKIAIOSFODNN7EXAMPLE",
    secret="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    region="us-east-1",
    service="s3",
)
S3_TIME = round(datetime(2013, 5, 24, tzinfo=UTC).timestamp())
TOKEN = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwth"
    "Ax7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAki"
    "Y9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)


@pytest.mark.parametrize(
    ("method", "target", "headers", "body", "signature"),
    [
        ("GET", "/", {}, b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "/", {}, b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "GET",
            "/?Param2=value2&Param1=value1",
            {},
            b"",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "POST",
            "/",
            {"content-type": "application/x-www-form-urlencoded"},
            b"Param1=value1",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
        (
            "POST",
            "/",
            {"x-amz-security-token": TOKEN},
            b"",
            "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
        ),
    ],
)
def test_a_request_of_the_suite_is_signed_as_the_suite_says(
    method: str, target: str, headers: Mapping[str, str], body: bytes, signature: str
) -> None:
    request = RequestToSign(method, target, {"host": "example.amazonaws.com", **headers}, body)
    signed = SUITE.sign(request, SUITE_TIME)
    names = ";".join(sorted(["host", "x-amz-date", *headers]))
    assert signed == {
        "x-amz-date": "20150830T123600Z",
        "authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={names}, Signature={signature}",
    }


def test_an_object_of_s3_is_signed_as_its_documentation_says() -> None:
    body = b"Welcome to Amazon S3."
    headers = {
        "date": "Fri, 24 May 2013 00:00:00 GMT",
        "host": "examplebucket.s3.amazonaws.com",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
    }
    signed = S3.sign(RequestToSign("PUT", "/test%24file.text", headers, body), S3_TIME)
    assert signed["x-amz-content-sha256"] == sha256(body).hexdigest()
    assert signed["authorization"].endswith("98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")


def test_a_question_to_s3_is_signed_as_its_documentation_says() -> None:
    headers = {"host": "examplebucket.s3.amazonaws.com", "range": "bytes=0-9"}
    signed = S3.sign(RequestToSign("GET", "/test.txt", headers, b""), S3_TIME)
    assert signed["authorization"].endswith("f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")


def test_the_signer_shows_no_secret() -> None:
    assert repr(S3) == "AwsSigner(…)"
