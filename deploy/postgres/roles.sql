-- Three roles and a database, made once by a superuser:
--     psql --set ON_ERROR_STOP=1 --file deploy/postgres/roles.sql
-- Then give two of them a password: \password signalpost_owner, \password signalpost_gateway
--
-- signalpost_owner migrates, and owns the audit. signalpost_gateway runs: it changes rows, and becomes signalpost_tables,
-- which owns all other tables, only to make and remove the partitions of days. So no gateway can remove what the audit
-- keeps. None of them passes row-level security.
CREATE ROLE signalpost_owner LOGIN;
CREATE ROLE signalpost_tables;
CREATE ROLE signalpost_gateway LOGIN NOINHERIT;
GRANT signalpost_tables TO signalpost_owner, signalpost_gateway;
CREATE DATABASE signalpost OWNER signalpost_owner ENCODING 'UTF8' TEMPLATE template0;
ALTER ROLE signalpost_owner IN DATABASE signalpost SET role = 'signalpost_tables';

\connect signalpost
REVOKE ALL ON DATABASE signalpost FROM PUBLIC;
GRANT CONNECT ON DATABASE signalpost TO signalpost_gateway;
ALTER SCHEMA public OWNER TO signalpost_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO signalpost_gateway;
GRANT CREATE, USAGE ON SCHEMA public TO signalpost_tables;
ALTER DEFAULT PRIVILEGES FOR ROLE signalpost_tables IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO signalpost_gateway;
ALTER DEFAULT PRIVILEGES FOR ROLE signalpost_tables IN SCHEMA public
    GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO signalpost_gateway;
