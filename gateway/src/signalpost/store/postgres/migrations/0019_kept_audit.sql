-- breaks_before: 1
-- The database itself keeps the audit: no entry is changed, and none is removed before its time. Whoever owns the audit
-- can lift that and nobody else can. So where the user who migrates acts as another one (`roles.sql`), it becomes his.

DO $$
DECLARE
    acts_as text := current_setting('role');
    former text := current_user;
    place text := quote_ident(current_schema());
BEGIN
    IF former <> session_user AND has_schema_privilege(session_user, current_schema(), 'CREATE') THEN
        SET LOCAL ROLE NONE;
        ALTER TABLE audit OWNER TO SESSION_USER;
        ALTER TABLE audit_end OWNER TO SESSION_USER;
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON audit, audit_end TO %I', former);
    END IF;

    CREATE FUNCTION audit_kept_days() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 400::bigint';
    COMMENT ON FUNCTION audit_kept_days() IS 'For how many days nobody can remove an entry of the audit.';

    -- Whose search path it is must not decide what is asked here.
    EXECUTE format($text$
        CREATE FUNCTION keep_audit() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
        BEGIN
            IF TG_TABLE_NAME = 'audit_end' AND TG_OP = 'UPDATE' THEN
                IF NEW.tenant_id = OLD.tenant_id AND NEW.first >= OLD.first AND NEW.last >= OLD.last THEN
                    RETURN NEW;
                END IF;
            ELSIF TG_TABLE_NAME = 'audit' AND TG_OP = 'DELETE' THEN
                IF OLD.at < (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
                    - %1$s.audit_kept_days() * 86400000000 THEN
                    RETURN OLD;
                END IF;
            END IF;
            RAISE EXCEPTION USING
                ERRCODE = 'insufficient_privilege',
                MESSAGE = format('The audit is kept: nobody changes it, or removes an entry within %%s days.',
                    %1$s.audit_kept_days());
        END $body$
    $text$, place);

    CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION keep_audit();
    CREATE TRIGGER keep_all BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION keep_audit();
    CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON audit_end FOR EACH ROW EXECUTE FUNCTION keep_audit();
    CREATE TRIGGER keep_all BEFORE TRUNCATE ON audit_end FOR EACH STATEMENT EXECUTE FUNCTION keep_audit();

    PERFORM set_config('role', acts_as, true);
END $$;
