"""Every error has its problem: one table says with which status and title."""

from collections.abc import Iterator

from signalpost.api.guards.principals import EndedKey
from signalpost.api.http.problems import CALLER_PROBLEMS, problem
from signalpost.domain import errors
from signalpost.domain.errors import CallerError, DiskNearlyFull, FieldError, Invalid, MethodNotAllowed, NoSuchRange

STATUSES = {
    errors.Unparseable: 400,
    errors.Unauthenticated: 401,
    EndedKey: 401,
    errors.Forbidden: 403,
    errors.LinkRefused: 403,
    errors.NotFound: 404,
    errors.MethodNotAllowed: 405,
    errors.Conflict: 409,
    errors.Gone: 410,
    errors.PreconditionFailed: 412,
    errors.TooLarge: 413,
    errors.UnsupportedMedia: 415,
    errors.NoSuchRange: 416,
    errors.Invalid: 422,
    errors.TooMany: 429,
    errors.HeadTooLarge: 431,
}


def kinds_of(kind: type[CallerError]) -> Iterator[type[CallerError]]:
    for each in kind.__subclasses__():
        yield each
        yield from kinds_of(each)


def test_every_error_of_a_caller_has_the_status_that_clients_rely_on() -> None:
    assert {kind: CALLER_PROBLEMS[kind].status for kind in kinds_of(CallerError)} == STATUSES


def test_a_defect_tells_a_client_nothing_but_the_id_to_ask_about() -> None:
    answer = problem(ZeroDivisionError("secret"), "0123456789abcdef")
    assert answer.status == 500
    assert b"secret" not in answer.body
    assert b'"requestId":"0123456789abcdef"' in answer.body


def test_headers_say_what_a_client_can_do_about_it() -> None:
    def header(error: Exception, name: str) -> str | None:
        return dict(problem(error, "").headers).get(name)

    assert header(errors.Unauthenticated("no_key", ""), "www-authenticate") == "Bearer"
    assert header(errors.TooMany("busy", "", 7), "retry-after") == "7"
    assert header(DiskNearlyFull(), "retry-after") == "30"
    assert header(NoSuchRange(5), "content-range") == "bytes */5"
    assert header(MethodNotAllowed(["GET", "HEAD"]), "allow") == "GET, HEAD"
    assert header(Invalid([FieldError("/a", "required", "")]), "retry-after") is None
