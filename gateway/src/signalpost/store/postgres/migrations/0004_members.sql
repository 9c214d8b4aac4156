-- breaks_before: 1
-- People of the operator's team and of tenants. A removed one stays, without e-mail address and password, so that what they
-- did can be told.

CREATE TABLE member (
    number bigint PRIMARY KEY,                  -- from the sequence of the numbers of API keys
    id uuid NOT NULL UNIQUE,
    tenant_id bigint NOT NULL,
    name text NOT NULL,
    email text NOT NULL,                        -- in lower case
    role text NOT NULL,
    created_at bigint NOT NULL,
    created_by text,                            -- the name of whoever invited them
    password text,                              -- argon2id; null while they are invited
    generation bigint NOT NULL,                 -- sessions of another one have ended
    invitation bytea UNIQUE,                    -- SHA-256 of its token
    invited_until bigint,
    removed_at bigint
);
CREATE UNIQUE INDEX member_email ON member (email) WHERE removed_at IS NULL;

ALTER TABLE member ENABLE ROW LEVEL SECURITY;
ALTER TABLE member FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenants ON member USING (
    tenant_id = ANY ((SELECT nullif(current_setting('signalpost.tenants', true), '')::bigint[])::bigint[])
    OR (SELECT nullif(current_setting('signalpost.tenants', true), '')::bigint[])::bigint[] = ARRAY[-1::bigint]
);
CREATE POLICY of_operators ON member FOR SELECT USING (role = 'operator');
