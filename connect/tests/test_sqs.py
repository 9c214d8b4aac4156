"""Requests to SQS are signed as AWS says, and what it gives becomes messages."""

from datetime import UTC, datetime

import pytest

from signalpost_connect.sqs.queue import message_of
from signalpost_connect.sqs.signature import Credentials, signed


@pytest.mark.parametrize(
    ("token", "signature"),
    [
        (None, "03b7ef90a277df659dc1126a812383be800b3624fd26fabdff2e17fdd06958d5"),
        ("a token", "daa75e94b39172d24aad619b12a2ff471341cca03f9258a3465041ba4e7b1345"),
    ],
)
def test_a_signature_is_the_one_that_botocore_makes(token: str | None, signature: str) -> None:
    """What botocore 1.44.8 made of the same request at the same time."""
    about = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.ReceiveMessage"}
    headers = signed(
        "https://sqs.eu-west-1.amazonaws.com/",
        about,
        b'{"QueueUrl":"x"}',
        "eu-west-1",
        Credentials("AKID", "secret", token),
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
    assert headers["authorization"].rpartition("Signature=")[2] == signature


def test_a_secret_is_not_printed() -> None:
    assert "secret" not in repr(Credentials("AKID", "secret", "token"))
    assert "token" not in repr(Credentials("AKID", "secret", "token"))


def given(number: str | None) -> dict[str, object]:
    numbered = {} if number is None else {"SequenceNumber": number}
    return {"MessageId": "m", "Body": "{}", "Attributes": {"SentTimestamp": "1", **numbered}}


def test_the_number_of_a_fifo_queue_is_the_version_if_it_is_divided() -> None:
    """A number has up to 128 bits, and a version 63."""
    one, two = (message_of(given(number)).version for number in ("18849496460467696128", "18849496460467713792"))
    assert one is not None
    assert two is not None
    assert one < two < 2**63


def test_a_queue_without_numbers_gives_no_version() -> None:
    assert message_of(given(None)).version is None
