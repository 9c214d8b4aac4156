-- breaks_before: 10
-- What a repeat is answered once it shows a secret no more; sealed like the answer, whose place it then takes.

ALTER TABLE idempotency ADD COLUMN without_secrets BLOB;
CREATE INDEX idempotency_secrets ON idempotency (expires_at) WHERE without_secrets IS NOT NULL;
