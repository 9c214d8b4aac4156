"""The mail server of the tests leaves nothing behind."""

import socket
import ssl
from contextlib import closing, suppress

import trustme
from gateway.tests.acceptance.client import until
from gateway.tests.fakes.mail_server import MailServer
from gateway.tests.patience import PATIENCE


def test_it_ends_a_conversation_also_if_the_client_has_not_said_good_bye_to_tls(authority: trustme.CA) -> None:
    """A later test would find the socket unclosed."""
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with MailServer(authority, scheme="smtps") as server:
        raw = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        client = trusting.wrap_socket(raw, server_hostname="localhost")
        assert client.recv(100).startswith(b"220 ")
        client.sendall(b"QUIT\r\n")
        assert client.recv(100).startswith(b"221 ")
        until(lambda: server.is_closing)
    with closing(client), suppress(ConnectionResetError):
        assert client.recv(100) == b""
