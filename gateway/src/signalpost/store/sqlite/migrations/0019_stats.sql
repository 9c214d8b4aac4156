-- What attempts came to, added up by minute and by hour. Earlier versions add nothing to it, and break nothing.

CREATE TABLE stat (
    span INTEGER NOT NULL,                -- seconds: 60 or 3600
    start INTEGER NOT NULL,               -- seconds since the epoch
    tenant_id INTEGER NOT NULL,
    subscription_number INTEGER NOT NULL, -- 0: all of the tenant's
    count_0 INTEGER NOT NULL,             -- delivered
    count_1 INTEGER NOT NULL,             -- of these by their first attempt
    count_2 INTEGER NOT NULL,             -- failed, and retried
    count_3 INTEGER NOT NULL,             -- failed, and given up
    count_4 INTEGER NOT NULL,             -- delivered within 5 ms, and so on up to 5 s, and in more
    count_5 INTEGER NOT NULL,
    count_6 INTEGER NOT NULL,
    count_7 INTEGER NOT NULL,
    count_8 INTEGER NOT NULL,
    count_9 INTEGER NOT NULL,
    count_10 INTEGER NOT NULL,
    count_11 INTEGER NOT NULL,
    count_12 INTEGER NOT NULL,
    count_13 INTEGER NOT NULL,
    count_14 INTEGER NOT NULL,
    PRIMARY KEY (span, start, tenant_id, subscription_number)
) STRICT, WITHOUT ROWID;
