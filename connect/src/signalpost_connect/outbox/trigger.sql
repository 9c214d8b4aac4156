-- What fills it: a trigger on the table of your documents. Change the names on the right of the snapshot to your columns;
-- leave out what you do not have. It runs after the document's row is locked, so that the states of a document are
-- numbered in the order in which they are committed. An INSERT that your program makes before it locks the row is not.
-- SECURITY DEFINER: the roles that change documents need no right on the outbox.

CREATE FUNCTION {schema}.signalpost_outbox_write() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
BEGIN
  IF TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND OLD.id IS DISTINCT FROM NEW.id) THEN
    INSERT INTO {schema}.signalpost_outbox (document_id) VALUES (OLD.id);
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO {schema}.signalpost_outbox (document_id, snapshot) VALUES (NEW.id, jsonb_build_object(
      'type', NEW.type,
      'title', NEW.title,
      'status', NEW.status,
      'createdAt', to_char(NEW.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
      'sourceApp', 'contracts',
      'ownerEmail', NEW.owner_email,
      'authorEmail', NEW.author_email
      -- , 'startDate', NEW.start_date, 'expiryDate', NEW.expiry_date, 'executedAt', …, 'referenceId', NEW.reference,
      -- 'contractValue', NEW.value, 'counterpartyName', NEW.counterparty, 'additionalFacts', NEW.facts
    ));
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER signalpost_outbox_write AFTER INSERT OR UPDATE OR DELETE ON {table}
FOR EACH ROW EXECUTE FUNCTION {schema}.signalpost_outbox_write();

-- A column that the table lacks would fail each change of it. So it fails this.
DO $$
DECLARE
  missing text;
BEGIN
  SELECT string_agg(DISTINCT name, ', ' ORDER BY name) INTO missing
  FROM pg_proc, regexp_replace(prosrc, '--[^\n]*', '', 'g') AS source,
    regexp_matches(source, '\m(?:NEW|OLD)\.(?:"([^"]+)"|([a-z_][\w$]*))', 'gi') AS named,
    coalesce(named[1], lower(named[2])) AS name
  WHERE pg_proc.oid = '{schema}.signalpost_outbox_write()'::regprocedure AND NOT EXISTS (
    SELECT FROM pg_attribute
    WHERE attrelid = '{table}'::regclass AND attname = name AND attnum > 0 AND NOT attisdropped
  );
  IF missing IS NOT NULL THEN
    RAISE undefined_column USING MESSAGE = '{table} has no ' || missing,
      HINT = 'In signalpost_outbox_write, name the columns that it has, or leave them out. Then run all of this again.';
  END IF;
END $$;

COMMIT;
