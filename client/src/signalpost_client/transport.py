"""What both clients make of httpx."""

import ssl
from collections.abc import Mapping

import httpx

from signalpost_client.core import Answer, Loss

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


def tls_context() -> ssl.SSLContext:
    """What httpx trusts, in the same way with each version of Python: from 3.13 on, a context that httpx makes refuses
    the certificates of many private authorities."""
    context = httpx.create_ssl_context()
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST
    return context


def answer_of(response: httpx.Response, content: bytes) -> Answer:
    """A response, once its body was read."""
    return Answer(response.status_code, headers_of(response), content)


def headers_of(response: httpx.Response) -> Mapping[str, str]:
    """The headers of a response, by name in lower case."""
    return {name.lower(): value for name, value in response.headers.items()}


def loss_of(error: httpx.RequestError) -> Loss:
    """What an error means for the request."""
    return Loss(reason_of(error), not isinstance(error, _NOT_SENT), isinstance(error, httpx.TimeoutException))


def reason_of(error: httpx.RequestError) -> str:
    """Why there is no answer. Only what others sent, and the system said, is quoted: no header of ours."""
    if isinstance(error, httpx.TimeoutException):
        return "it took too long"
    said = "" if isinstance(error, httpx.LocalProtocolError) else str(error)
    return said or type(error).__name__
