-- breaks_before: 1
-- How fast passwords were tried, and from where owners of accounts have signed in (domain/sign_in_tries.py). Earlier
-- versions, while they run beside this one, count for themselves.

CREATE TABLE sign_in_try (
    subject bytea PRIMARY KEY,                  -- SHA-256 of what is counted: an address, an account, or both
    clear_at bigint NOT NULL,                   -- from when on the next try counts as the only one
    kept_until bigint NOT NULL
);
CREATE INDEX sign_in_try_kept ON sign_in_try (kept_until);
