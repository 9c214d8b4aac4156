-- Has the next change be numbered {number} or higher. Run it as the owner of the table, after the database was restored to a
-- moment before: changes would be numbered as others were already, and be dropped as old.
SELECT setval(
  pg_get_serial_sequence('{schema}.signalpost_outbox', 'id'),
  greatest({number}, nextval(pg_get_serial_sequence('{schema}.signalpost_outbox', 'id'))),
  false
);
