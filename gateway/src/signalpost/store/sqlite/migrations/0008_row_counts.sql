-- How many exception rows each lane has in each state. Whatever writes a delivery row changes these in its transaction.

ALTER TABLE lane ADD COLUMN awaiting_retry INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lane ADD COLUMN blocked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lane ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;
UPDATE lane SET
    awaiting_retry = (SELECT count(*) FROM delivery d WHERE d.subscription_number = lane.subscription_number AND d.state = 1),
    blocked = (SELECT count(*) FROM delivery d WHERE d.subscription_number = lane.subscription_number AND d.state = 2),
    failed = (SELECT count(*) FROM delivery d WHERE d.subscription_number = lane.subscription_number AND d.state = 3);
