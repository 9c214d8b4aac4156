"""The table of answers that are kept for repeats of a request. They are sealed: an answer may show a secret."""

from typing import Final

from signalpost.commands.batch import StoredAnswer
from signalpost.commands.command import AnswerKey
from signalpost.store.tables.table import Columns, Kind
from signalpost.store.vault import Place, Vault

ANSWER: Final = Columns(
    "idempotency",
    {
        "tenant_id": Kind.NUMBER,
        "api_key_id": Kind.NUMBER,
        "key": Kind.TEXT,
        "request_hash": Kind.BLOB,
        "answer": Kind.BLOB,
        "expires_at": Kind.NUMBER,
        "without_secrets": Kind.BLOB,
    },
    key="tenant_id, api_key_id, key, expires_at",
    sealed=["answer", "without_secrets"],
)
AnswerColumns = tuple[int, int, str, bytes, bytes, int, bytes | None]


def pack_answer(key: AnswerKey, stored: StoredAnswer, vault: Vault) -> AnswerColumns:
    """The row of an answer, as `ANSWER` has it."""
    place = _answer_place(key, stored.expires_at)
    without_secrets = None if stored.without_secrets is None else vault.seal(stored.without_secrets, place)
    return (*key, stored.request_hash, vault.seal(stored.answer, place), stored.expires_at, without_secrets)


def unpack_answer(columns: AnswerColumns, vault: Vault) -> tuple[AnswerKey, StoredAnswer]:
    """Undo `pack_answer`. Raises StartError if the answer was sealed with another key."""
    tenant_id, api_key_id, key, request_hash, sealed, expires_at, sealed_without = columns
    place = _answer_place((tenant_id, api_key_id, key), expires_at)
    without_secrets = None if sealed_without is None else vault.open(sealed_without, place)
    stored = StoredAnswer(request_hash, vault.open(sealed, place), expires_at, without_secrets)
    return (tenant_id, api_key_id, key), stored


def _answer_place(key: AnswerKey, expires_at: int) -> Place:
    """Where an answer is sealed. The one without secrets has the same place, since it takes the other's; a later answer
    to the same key expires later, so it has another."""
    return Place("idempotency", key[0], f"{key[0]} {key[1]} {key[2]}", expires_at)
