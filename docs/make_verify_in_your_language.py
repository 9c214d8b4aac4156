"""Writes docs/guides/verify-in-your-language.md, and what the console shows of it, from examples/receivers/:
`.venv/bin/python docs/make_verify_in_your_language.py`. A test keeps both so, and another runs every verifier.
"""

import json
import re
from pathlib import Path
from typing import NamedTuple

from signalpost_receiver import Signer

ROOT = Path(__file__).parents[1]
VERIFIERS = ROOT / "examples" / "receivers"
PAGE = ROOT / "docs" / "guides" / "verify-in-your-language.md"
SHOWN = ROOT / "gateway" / "src" / "signalpost" / "console" / "verifiers.json"


class Verifier(NamedTuple):
    language: str
    file: str
    fence: str
    notes: str


LANGUAGES = (
    Verifier(
        "Bash and OpenSSL",
        "bash/verify.sh",
        "bash",
        "To look at a request by hand. Other users of the machine can see the key while `openssl` runs.",
    ),
    Verifier(
        "Python",
        "python/verify.py",
        "python",
        "Or use [signalpost-receiver](../../receiver/README.md), which does all of this and more. Raw body: "
        "`await request.body()` in FastAPI and Starlette, `request.get_data()` in Flask, `request.body` in Django.",
    ),
    Verifier(
        "Node",
        "node/verify.mjs",
        "js",
        "Or use [signalpost-receiver for Node](../../receiver-node/README.md). "
        "Raw body: `express.raw({ type: '*/*', limit: '1mb' })` in Express, "
        "a content type parser with `parseAs: 'buffer'` in Fastify, `await c.req.arrayBuffer()` in Hono.",
    ),
    Verifier(
        "Go",
        "go/verify.go",
        "go",
        "Raw body: `io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))`, before any decoding.",
    ),
    Verifier(
        "Java",
        "java/Verify.java",
        "java",
        "Java 17. Raw body: `@RequestBody byte[] body` in Spring, an argument `byte[] body` in JAX-RS.",
    ),
    Verifier(
        "C#",
        "csharp/Verify.cs",
        "csharp",
        "Raw body: copy `Request.Body` into a `MemoryStream` in ASP.NET Core, before any model is bound.",
    ),
    Verifier(
        "Ruby",
        "ruby/verify.rb",
        "ruby",
        "Needs the gem `openssl` 2.2 or newer, which comes with Ruby 3. Raw body: `request.raw_post` in Rails, "
        "`request.body.read` in Rack and Sinatra.",
    ),
    Verifier(
        "PHP",
        "php/verify.php",
        "php",
        "PHP 8. Raw body: `file_get_contents('php://input')`; `$request->getContent()` in Laravel and Symfony.",
    ),
    Verifier(
        "Rust",
        "rust/src/main.rs",
        "rust",
        "With `hmac`, `sha2`, `base64` and `hex`. Raw body: `body: Bytes` as the last argument in axum.",
    ),
    Verifier(
        "Elixir",
        "elixir/verify.exs",
        "elixir",
        "OTP 25 or newer. Raw body: in Phoenix, a `:body_reader` of `Plug.Parsers` that keeps what it read.",
    ),
)

HEAD = """\
# Verify in your language

Made from [`examples/receivers/`](../../examples/receivers/) by `.venv/bin/python docs/make_verify_in_your_language.py`;
do not edit. The tests run every verifier whose language is on the machine.

A request is genuine if one of its signatures fits its body and your secret. There are two kinds of them
([C19 to C21](../contract.md#signature)):

| header | value | key |
| --- | --- | --- |
| `plexus-webhook-signature` | lower-case hex of HMAC-SHA512 of the body | the whole secret, as UTF-8 |
| `plexus-webhook-signature-alternate` | the same, while a secret is being rotated | the new secret |
| `webhook-signature` | `v1,` and base64 of HMAC-SHA256 of `webhook-id.webhook-timestamp.body` | see below |

The last is that of Standard Webhooks. Its key is what the base64 after `whsec_` decodes to, and for a secret of another
form its UTF-8 bytes. While a secret is being rotated the header has two entries, with a space between them.

Five rules, in any language:

1. **Take the body as it arrived.** Parse it only after the check: JSON that was parsed and written again has other
   bytes.
2. **Compare in constant time**, never with `==`.
3. **Refuse an empty secret.** A setting that is missing must not become the key `""`, with which anybody can sign.
4. **Accept two secrets** while you rotate, so that no request is refused in between.
5. **Remember the ids** that you have handled. An event can arrive more than once, and anybody who recorded one can
   send it again. To refuse old requests as well, insist on `webhook-signature`, and refuse a `webhook-timestamp` more
   than five minutes away from your clock: retries and replays are signed again, so this refuses none of them.

Answer 2xx within five seconds, and do the work afterwards. Events of one document may arrive in another order than
they happened: compare `createdAt`.

For types in your language, give a generator what a running gateway serves: JSON Schemas (`/schemas/event.json`,
`/schemas/documentUpdated.json`, `/schemas/document.json`, …), AsyncAPI (`/asyncapi.json`) or the `webhooks` of
`/openapi.json`. They allow attributes, types and statuses that are added later; so should your code.

## Test vectors

Check your own code with these. The secret of the first is one that the gateway makes, that of the second one that its
owner chose.
"""

VECTORS = (
    ("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", '{"id":"8cfa669c-41cc-412c-858d-0374e2c007fc"}'),
    ("correct horse battery stäple", '{"title":"Café €"}'),
)
_ID, _TIMESTAMP = "8cfa669c-41cc-412c-858d-0374e2c007fc", 1767225600

BEFORE_VERIFIERS = """
## Verifiers

Each is a whole program, so that you can try it. Take from it the function that verifies. The body is on
standard input, the headers are variables as CGI names them (`HTTP_WEBHOOK_ID`), and the exit code is 0 if the request
is genuine:

```sh
export SIGNALPOST_SECRET='whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='
export HTTP_PLEXUS_WEBHOOK_SIGNATURE='…' # the first of the vectors
printf %s '{"id":"8cfa669c-41cc-412c-858d-0374e2c007fc"}' | python3 examples/receivers/python/verify.py
```
"""


def page() -> str:
    return (
        HEAD
        + "".join(map(_vector, *zip(*VECTORS, strict=True)))
        + BEFORE_VERIFIERS
        + "".join(map(_verifier, LANGUAGES))
    )


def _vector(secret: str, body: str) -> str:
    signer = Signer(secret)
    return f"""
| | |
| --- | --- |
| secret | `{secret}` |
| body | `{body}` ({len(body.encode())} bytes of UTF-8) |
| `plexus-webhook-signature` | `{signer.page_signature(body.encode())}` |
| `webhook-id` | `{_ID}` |
| `webhook-timestamp` | `{_TIMESTAMP}` |
| `webhook-signature` | `{signer.standard_signature(_ID, _TIMESTAMP, body.encode())}` |
"""


def _verifier(verifier: Verifier) -> str:
    return f"\n### {verifier.language}\n\n{verifier.notes}\n\n```{verifier.fence}\n{_code(verifier)}```\n"


def shown() -> str:
    """What the console shows with a new secret, and if an endpoint refuses a signature."""
    found = [{"language": each.language, "notes": _plain(each.notes), "code": _code(each)} for each in LANGUAGES]
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _code(verifier: Verifier) -> str:
    return (VERIFIERS / verifier.file).read_text(encoding="utf-8")


def _plain(notes: str) -> str:
    """Notes without the marks of links and code."""
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", notes).replace("`", "")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    SHOWN.write_text(shown(), encoding="utf-8")
