-- breaks_before: 18
-- How fast passwords were tried, and from where owners of accounts have signed in (domain/sign_in_tries.py).

CREATE TABLE sign_in_try (
    subject BLOB PRIMARY KEY,             -- SHA-256 of what is counted: an address, an account, or both
    clear_at INTEGER NOT NULL,            -- from when on the next try counts as the only one
    kept_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_try_kept ON sign_in_try (kept_until);
