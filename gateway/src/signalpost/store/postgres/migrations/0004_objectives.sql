-- Events that kept the objective of their subscription, and those that did not.
ALTER TABLE stat ADD COLUMN count_15 bigint NOT NULL DEFAULT 0;
ALTER TABLE stat ADD COLUMN count_16 bigint NOT NULL DEFAULT 0;
