-- breaks_before: 1
-- Links with which customers get at their own subscriptions. They are removed once they have ended.

CREATE TABLE portal_link (
    number bigint PRIMARY KEY,                  -- from the sequence of the numbers of API keys
    id uuid NOT NULL UNIQUE,
    tenant_id bigint NOT NULL,
    hash bytea NOT NULL UNIQUE,                 -- SHA-256 of the token
    maker_kind text NOT NULL,                   -- what it is worth no more than: key, member
    maker_id text NOT NULL,
    maker_proof bytea NOT NULL,                 -- what must be true of that still
    created_at bigint NOT NULL,
    ends_at bigint NOT NULL,
    opened_at bigint,
    revoked_at bigint,
    terms bytea NOT NULL                        -- JSON: whom it is for, and what it allows
);
CREATE INDEX portal_link_tenant ON portal_link (tenant_id, number);
CREATE INDEX portal_link_ends ON portal_link (ends_at);

ALTER TABLE portal_link ENABLE ROW LEVEL SECURITY;
ALTER TABLE portal_link FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenants ON portal_link USING (
    tenant_id = ANY ((SELECT nullif(current_setting('signalpost.tenants', true), '')::bigint[])::bigint[])
    OR (SELECT nullif(current_setting('signalpost.tenants', true), '')::bigint[])::bigint[] = ARRAY[-1::bigint]
);
