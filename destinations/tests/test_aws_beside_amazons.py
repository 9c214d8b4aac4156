"""The kinds for services of Amazon against what Amazon's programs take: its own library, and a server that does as its
services do and checks signatures.

Both are in the environment of `make queues`, and the tests are left out without it.
"""

import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from gateway.tests.acceptance.client import until
from gateway.tests.cli import command
from gateway.tests.cli.command import json_of

from signalpost.destinations import Call, Destination, Done, Reauthorise, Reject, Reply, RequestToSign, Ruling, Signer
from signalpost.engine.connectors.wire import request_of
from signalpost.testing import Rehearsal, context
from signalpost_destinations.eventbridge import EventBridge
from signalpost_destinations.s3 import S3
from signalpost_destinations.sigv4 import AwsSigner
from signalpost_destinations.sns import Sns
from signalpost_destinations.sqs import Sqs

AMAZON = Path(__file__).parents[2] / ".venv-sqs" / "bin"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (AMAZON / "moto_server").exists(), reason="`make queues` sets up what this needs"),
]
REGION = "eu-central-1"
"""Where all of it is."""
STRANGE = {"title": 'a b+c=ü/~?#%2F"\u2028', "type": "Смета 🖋"}
NAME = "contracts"
FIFO = "contracts.fifo"
TOPIC = f"arn:aws:sns:{REGION}:123456789012:{NAME}"


# --- The library ------------------------------------------------------------------------------------------------------


def outgoing(kind: type[Destination[Any, Any]], config: Mapping[str, Any], **document: Any) -> RequestToSign:
    """The request that an event becomes, as the gateway has it signed."""
    seen: list[RequestToSign] = []

    def sign(request: RequestToSign) -> Mapping[str, str]:
        seen.append(request)
        return {}

    account = {"region": REGION, "accessKeyId": "AKIDEXAMPLE", "secretAccessKey": "s3cr3t"}
    made = Rehearsal(kind, account, config)
    call = made.prepare(context(**document))
    assert isinstance(call, Call)
    request_of(call, None, made.kind.origins(made.connection), 5.0, 0, sign)
    return seen[0]


def test_amazons_own_library_signs_the_same() -> None:
    queue = f"https://sqs.{REGION}.amazonaws.com/123456789012/{FIFO}"
    asked = [
        ("sqs", outgoing(Sqs, {"queueUrl": queue}, **STRANGE)),
        ("sns", outgoing(Sns, {"topicArn": TOPIC}, **STRANGE)),
        ("events", outgoing(EventBridge, {}, **STRANGE)),
        ("s3", outgoing(S3, {"bucket": NAME, "key": "{{ document.type }}/x{{ document.title }}"}, **STRANGE)),
    ]
    told = [
        {
            "service": service,
            "region": REGION,
            "key_id": "AKIDEXAMPLE",
            "secret": "s3cr3t",
            "method": request.method,
            "target": request.target,
            "headers": dict(request.headers),
            "body": request.body.decode(),
        }
        for service, request in asked
    ]
    script = Path(__file__).with_name("botocore_signs.py")
    ran = subprocess.run(
        [AMAZON / "python", script], input=json.dumps(told), capture_output=True, text=True, check=True
    )
    for (service, request), theirs in zip(asked, json.loads(ran.stdout), strict=True):
        now = datetime.strptime(theirs["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        signer = AwsSigner(key_id="AKIDEXAMPLE", secret="s3cr3t", region=REGION, service=service)
        assert signer.sign(request, round(now.timestamp())) == theirs


# --- The server -------------------------------------------------------------------------------------------------------


class Server:
    """A server that does as Amazon's services do."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.origin = f"http://127.0.0.1:{port}"
        self.account = {"region": REGION, "accessKeyId": "setup", "secretAccessKey": "setup", "endpoint": self.origin}

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, target, body, dict(headers))
            answer = connection.getresponse()
            shown = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(status=answer.status, headers=shown, body=answer.read())
        finally:
            connection.close()

    def ask(self, service: str, method: str, target: str, body: bytes = b"", **headers: str) -> Reply:
        """An answer to a request that sets things up or looks at them."""
        named = {name.replace("_", "-"): value for name, value in headers.items()} | {"host": f"127.0.0.1:{self.port}"}
        signer = AwsSigner(
            key_id=self.account["accessKeyId"],
            secret=self.account["secretAccessKey"],
            region=REGION,
            service=service,
        )
        now = round(datetime.now(UTC).timestamp())
        signature = signer.sign(RequestToSign(method, target, named, body), now)
        answer = self.send(method, target, {**named, **signature}, body)
        assert answer.is_success, answer
        return answer

    def form(self, service: str, **form: str) -> Reply:
        body = urlencode(form).encode()
        return self.ask(service, "POST", "/", body, content_type="application/x-www-form-urlencoded")

    def json(self, service: str, target: str, version: str = "1.0", **json_: Any) -> Any:
        headers = {"content_type": f"application/x-amz-json-{version}", "x_amz_target": target}
        return self.ask(service, "POST", "/", json.dumps(json_).encode(), **headers).json

    def queue(self, name: str, **attributes: str) -> str:
        url: str = self.json("sqs", "AmazonSQS.CreateQueue", QueueName=name, Attributes=attributes)["QueueUrl"]
        return url

    def messages(self, queue: str) -> list[dict[str, Any]]:
        """What is in a queue."""
        found = self.json(
            "sqs",
            "AmazonSQS.ReceiveMessage",
            QueueUrl=queue,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        return list(found.get("Messages", ()))

    def check_signatures(self) -> None:
        """Go on as a user who may do everything, and have every further request checked."""
        self.form("iam", Action="CreateUser", Version="2010-05-08", UserName="u")
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        self.form(
            "iam", Action="PutUserPolicy", Version="2010-05-08", UserName="u", PolicyName="p",
            PolicyDocument=json.dumps(policy),
        )  # fmt: skip
        made = self.form("iam", Action="CreateAccessKey", Version="2010-05-08", UserName="u").body.decode()
        for member, tag in (("accessKeyId", "AccessKeyId"), ("secretAccessKey", "SecretAccessKey")):
            [self.account[member]] = re.findall(f"<{tag}>(.*?)</{tag}>", made)
        assert self.send("POST", "/moto-api/reset-auth", {}, b"0").is_success


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "MOTO_ACCOUNT_ID": "123456789012"}
    process = subprocess.Popen(
        [AMAZON / "moto_server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment,
    )  # fmt: skip
    try:
        until(lambda: _listens(port))
        made = Server(port)
        made.check_signatures()
        yield made
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def delivered(
    server: Server, kind: type[Destination[Any, Any]], config: Mapping[str, Any], *, key: str = "", **document: Any
) -> Ruling:
    """What becomes of an event, written and signed as the gateway does."""
    made = Rehearsal(kind, server.account | ({"secretAccessKey": key} if key else {}), config)
    call = made.prepare(context(**document))
    assert isinstance(call, Call)
    reply = sent(server, made, call)
    return made.classify(context(**document), call, reply)


def sent(server: Server, made: Rehearsal, call: Call) -> Reply:
    signer: Any = made.kind.access(made.connection)
    assert isinstance(signer, Signer)
    now = round(datetime.now(UTC).timestamp())
    origins = made.kind.origins(made.connection)
    request = request_of(call, None, origins, 5.0, 0, lambda asked: signer.sign(asked, now))
    first, *lines = request.head.decode().rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    return server.send(method, target, dict(line.split(": ", 1) for line in lines), request.body)


def event(**document: Any) -> Any:
    return context(**document).event


def test_a_queue_has_the_event_and_its_attributes(server: Server) -> None:
    queue = server.queue(NAME)
    assert isinstance(delivered(server, Sqs, {"queueUrl": queue}, **STRANGE), Done)
    [message] = server.messages(queue)
    assert json.loads(message["Body"]) == event(**STRANGE)
    assert message["MessageAttributes"]["ce-id"]["StringValue"] == event()["id"]


def test_a_fifo_queue_takes_an_event_once(server: Server) -> None:
    queue = server.queue(FIFO, FifoQueue="true")
    for _ in range(2):
        assert isinstance(delivered(server, Sqs, {"queueUrl": queue}), Done)
    [message] = server.messages(queue)
    assert message["Attributes"]["MessageGroupId"] == event()["data"]["document"]["externalId"]


def test_a_topic_hands_the_event_on(server: Server) -> None:
    queue = server.queue("subscribed")
    made = server.form("sns", Action="CreateTopic", Version="2010-03-31", Name=NAME).body.decode()
    assert TOPIC in made
    server.form(
        "sns", Action="Subscribe", Version="2010-03-31", TopicArn=TOPIC, Protocol="sqs",
        Endpoint=f"arn:aws:sqs:{REGION}:123456789012:subscribed",
    )  # fmt: skip
    assert isinstance(delivered(server, Sns, {"topicArn": TOPIC}, **STRANGE), Done)
    [message] = server.messages(queue)
    handed_on = json.loads(message["Body"])
    assert json.loads(handed_on["Message"]) == event(**STRANGE)
    assert handed_on["MessageAttributes"]["ce-type"]["Value"] == "documentUpdated"


def test_a_bus_hands_the_event_on(server: Server) -> None:
    queue = server.queue("ruled")
    pattern = json.dumps({"source": ["signalpost"], "detail-type": ["documentUpdated"]})
    server.json("events", "AWSEvents.PutRule", "1.1", Name="r", EventPattern=pattern)
    target = {"Id": "t", "Arn": f"arn:aws:sqs:{REGION}:123456789012:ruled"}
    server.json("events", "AWSEvents.PutTargets", "1.1", Rule="r", Targets=[target])
    assert isinstance(delivered(server, EventBridge, {}, **STRANGE), Done)
    [message] = server.messages(queue)
    assert json.loads(message["Body"])["detail"] == event(**STRANGE)


def test_a_bucket_has_the_event_and_its_metadata(server: Server) -> None:
    server.ask("s3", "PUT", f"/{NAME}", b"<CreateBucketConfiguration><LocationConstraint>eu-central-1"
               b"</LocationConstraint></CreateBucketConfiguration>")  # fmt: skip
    assert isinstance(delivered(server, S3, {"bucket": NAME, "key": "a/{{ event.id }} ü.json"}, **STRANGE), Done)
    found = server.ask("s3", "GET", f"/{NAME}/a/{event()['id']}%20%C3%BC.json")
    assert json.loads(found.body) == event(**STRANGE)
    assert found.headers["x-amz-meta-ce-type"] == "documentUpdated"


def test_a_gateway_delivers_to_a_queue(server: Server, tmp_path: Path) -> None:
    queue = server.queue("delivered")
    with command.gateway(tmp_path / "data", "--allow-targets", server.origin):
        run = partial(command.run, SIGNALPOST_DATA_DIR=str(tmp_path / "data"))
        key_id, secret = server.account["accessKeyId"], server.account["secretAccessKey"]
        options = ("--kind", "sqs", "--set", f"region={REGION}", "--set", f"accessKeyId={key_id}",
                   "--secret", "secretAccessKey", "--set", f"endpoint={server.origin}", "--json")  # fmt: skip
        ours = json_of(run("connections", "create", *options, stdin=f"{secret}\n"))["id"]
        assert "accepted" in run("connections", "test", ours).stdout
        preset = ("--preset", "sqs-everything", "--connection", ours, "--set", f"queueUrl={queue}", "--json")
        subscription = json_of(run("subscriptions", "create", *preset))["id"]
        run("subscriptions", "test", subscription)
    [message] = server.messages(queue)
    assert message["MessageAttributes"]["ce-id"]["StringValue"] == json.loads(message["Body"])["id"]


def test_what_is_not_there_is_named(server: Server) -> None:
    nowhere: dict[type[Destination[Any, Any]], dict[str, str]] = {
        Sqs: {"queueUrl": f"{server.origin}/123456789012/nowhere"},
        Sns: {"topicArn": f"{TOPIC}-nowhere"},
        S3: {"bucket": "nowhere"},
    }
    for kind, config in nowhere.items():
        ruling = delivered(server, kind, config)
        assert isinstance(ruling, Reject)
        assert "There is no such" in ruling.detail


each_kind = pytest.mark.parametrize(
    ("kind", "config"),
    [
        (Sqs, {"queueUrl": "http://127.0.0.1/123456789012/contracts"}),
        (Sns, {"topicArn": TOPIC}),
        (EventBridge, {}),
        (S3, {"bucket": NAME}),
    ],
)


@each_kind
def test_a_key_that_is_wrong_needs_a_person(
    server: Server, kind: type[Destination[Any, Any]], config: Mapping[str, Any]
) -> None:
    assert isinstance(delivered(server, kind, config, key="wrong"), Reauthorise)


@each_kind
def test_the_probe_is_taken(server: Server, kind: type[Destination[Any, Any]], config: Mapping[str, Any]) -> None:
    made = Rehearsal(kind, server.account, config)
    probe = made.kind.probe(made.connection)
    assert isinstance(probe, Call)
    assert made.kind.probed(made.connection, sent(server, made, probe)) == Done()
