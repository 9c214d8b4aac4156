-- breaks_before: 31
-- From where somebody signed in, for them to recognise their own sessions by.

ALTER TABLE session ADD COLUMN address TEXT;
ALTER TABLE session ADD COLUMN browser TEXT;
