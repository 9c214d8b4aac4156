/** What the stores in SQL databases say to them: the texts of the Python package, so that both can share a database. */

/** What `createTables` runs. `until` is when a lease ends, when a held event is due, or when a row is forgotten. */
export const TABLES = [
  `CREATE TABLE IF NOT EXISTS signalpost_events (
    id TEXT PRIMARY KEY, document TEXT, position TEXT NOT NULL, state TEXT NOT NULL, token TEXT NOT NULL,
    until DOUBLE PRECISION NOT NULL, body TEXT, hints TEXT)`,
  "CREATE INDEX IF NOT EXISTS signalpost_events_until ON signalpost_events (until)",
  "CREATE INDEX IF NOT EXISTS signalpost_events_document ON signalpost_events (document)",
  `CREATE TABLE IF NOT EXISTS signalpost_documents (
    document TEXT PRIMARY KEY, position TEXT NOT NULL, token TEXT NOT NULL, lease_until DOUBLE PRECISION NOT NULL,
    until DOUBLE PRECISION NOT NULL)`,
];

export const PUT = `INSERT INTO signalpost_events (id, document, position, state, token, until, body, hints)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET document = excluded.document, position = excluded.position, state = excluded.state,
    token = excluded.token, until = excluded.until, body = excluded.body, hints = excluded.hints
WHERE signalpost_events.until <= ? AND signalpost_events.body IS NULL`;
export const GET = "SELECT state, token, until, body IS NOT NULL AS is_held FROM signalpost_events WHERE id = ?";
export const COMMIT = `UPDATE signalpost_events SET state = 'handled', token = '', until = ?, body = NULL, hints = NULL
WHERE id = ? AND token = ? AND state = 'claimed'`;
export const HOLD_AGAIN = `UPDATE signalpost_events SET state = 'held', token = '', until = ?
WHERE id = ? AND token = ? AND body IS NOT NULL`;
export const DROP = "DELETE FROM signalpost_events WHERE id = ? AND token = ? AND state = 'claimed'";
export const FORGET = "DELETE FROM signalpost_events WHERE id = ?";
export const DUE = `SELECT event.document FROM signalpost_events event
LEFT JOIN signalpost_documents document ON document.document = event.document
WHERE event.body IS NOT NULL AND event.until <= ? AND (document.lease_until IS NULL OR document.lease_until <= ?)
ORDER BY event.until LIMIT 1`;
export const FIRST = `SELECT id, position, body, hints FROM signalpost_events
WHERE document = ? AND body IS NOT NULL ORDER BY position LIMIT 1`;
export const TAKE = "UPDATE signalpost_events SET state = 'claimed', token = ?, until = ? WHERE id = ?";
export const DROP_STALE = "DELETE FROM signalpost_events WHERE document = ? AND body IS NOT NULL AND position <= ?";
export const KNOW_DOCUMENT = `INSERT INTO signalpost_documents (document, position, token, lease_until, until)
VALUES (?, '', '', 0, 0) ON CONFLICT (document) DO NOTHING`;
export const LEASE_DOCUMENT = `UPDATE signalpost_documents SET token = ?, lease_until = ?
WHERE document = ? AND lease_until <= ?`;
export const GET_DOCUMENT = `SELECT CASE WHEN until > ? THEN position ELSE '' END AS position, lease_until
FROM signalpost_documents WHERE document = ?`;
export const MARK = `UPDATE signalpost_documents SET position = CASE WHEN position < ? OR until <= ? THEN ? ELSE position END,
    until = CASE WHEN until < ? THEN ? ELSE until END
WHERE document = ?`;
export const END_LEASE = "UPDATE signalpost_documents SET token = '', lease_until = ? WHERE document = ? AND token = ?";
export const PRUNE_EVENTS = "DELETE FROM signalpost_events WHERE until <= ? AND body IS NULL";
export const PRUNE_DOCUMENTS = "DELETE FROM signalpost_documents WHERE until <= ? AND lease_until <= ?";
