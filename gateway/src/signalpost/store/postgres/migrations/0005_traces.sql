-- breaks_before: 1
-- The trace context in which an event was made: trace, span and flags, 25 bytes; null unless it is sampled. A gateway that is
-- older than this column writes events without one.
ALTER TABLE event ADD COLUMN trace bytea;
