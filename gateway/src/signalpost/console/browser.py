"""What a browser says of a request, and what follows from it: who sent it, from which page, to which host.

Nothing that another site makes a browser do may change anything here (cross-site request forgery), and no name that
another person points to this machine may be taken for the gateway's (DNS rebinding).
"""

from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import urlsplit

from signalpost.api.http.request import Request

COOKIE: Final = "__Host-signalpost"
"""The session's cookie. Browsers keep a cookie with this prefix only for this very host, and accept it on plain HTTP
only from the machine that they run on."""
_BROWSERS: Final = (
    ("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("FxiOS/", "Firefox"), ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"), ("Safari/", "Safari"),
)  # fmt: skip
"""What a browser says of itself, the more particular first: most also claim to be those that follow."""
_SYSTEMS: Final = (
    ("iPhone", "an iPhone"), ("iPad", "an iPad"), ("Android", "Android"), ("Windows", "Windows"),
    ("Mac OS X", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def session_token(request: Request) -> str | None:
    return cookie_of(request, COOKIE)


def cookie_of(request: Request, name: str) -> str | None:
    try:
        found = SimpleCookie(request.header(b"cookie") or "").get(name)
    except CookieError:
        return None
    return None if found is None else found.value


def set_cookie(value: str, name: str = COOKIE, seconds: int | None = None) -> tuple[str, str]:
    """The header that has a browser keep a cookie: for so long, or until it is closed."""
    kept = "" if seconds is None else f"; Max-Age={seconds}"
    return "set-cookie", f"{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{kept}"


def forget_cookie() -> tuple[str, str]:
    return set_cookie("", seconds=0)


def browser_of(request: Request) -> str | None:
    """Roughly which browser sent a request, and on which system: `Firefox on Linux`. None if it does not say."""
    said = request.header(b"user-agent") or ""
    browser = next((name for sign, name in _BROWSERS if sign in said), None)
    system = next((name for sign, name in _SYSTEMS if sign in said), None)
    return f"{browser or 'A browser'} on {system}" if system else browser


def is_own_host(request: Request, public_urls: Collection[str]) -> bool:
    """Whether the request was sent to a name of this gateway: this machine's own, an address, or a public URL's."""
    host = (request.header(b"host") or "").lower()
    name = urlsplit(f"//{host}").hostname
    if name is None:
        return False
    return name in _LOCAL or _is_address(name) or any(host == urlsplit(url).netloc.lower() for url in public_urls)


def keeps_cookie(request: Request, scheme: str, public_urls: Collection[str]) -> bool:
    """Whether a browser keeps the session's cookie: on the machine that it runs on, and over HTTPS, also to a proxy
    under the gateway's public URL."""
    host = (request.header(b"host") or "").lower()
    if scheme == "https" or urlsplit(f"//{host}").hostname in _LOCAL:
        return True
    return any(url.startswith("https://") and host == urlsplit(url).netloc.lower() for url in public_urls)


def _is_address(name: str) -> bool:
    """Whether the host is an IP address. No name server of others can make a browser take one for another."""
    return ":" in name or name.replace(".", "").isdigit()


def is_same_origin(request: Request, scheme: str, public_urls: Collection[str]) -> bool:
    """Whether a page of the console itself made the browser send this. `scheme` is how the request came here."""
    site = request.header(b"sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin, host = urlsplit((request.header(b"origin") or "").lower()), (request.header(b"host") or "").lower()
    if not host or origin.netloc != host:
        return False
    public = {urlsplit(url.lower()).scheme for url in public_urls if urlsplit(url.lower()).netloc == host}
    # A proxy speaks HTTPS for the gateway, which then hears plain HTTP. A page over plain HTTP may be anybody's.
    return origin.scheme == "https" or (origin.scheme == "http" == scheme and "https" not in public)


def is_own_step(request: Request) -> bool:
    """Whether no other site made the browser follow a link: a person typed it, or clicked on it elsewhere than in a
    browser."""
    return request.header(b"sec-fetch-site") in ("none", "same-origin")


def is_navigation(request: Request, *into: str) -> bool:
    """Whether a person follows a link to here, into a document or what `into` names. What shows previews of links, or
    fetches them ahead, does not."""
    if request.header(b"sec-purpose") or request.header(b"purpose"):
        return False
    return (
        request.header(b"sec-fetch-dest") in (into or ("document",)) and request.header(b"sec-fetch-mode") == "navigate"
    )
