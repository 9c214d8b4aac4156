-- Two users and a database, made once by a superuser:
--     psql --set ON_ERROR_STOP=1 --file deploy/postgres/roles.sql
-- Then give both a password: \password signalpost_owner, \password signalpost_gateway
--
-- signalpost_owner owns the tables and migrates them. signalpost_gateway runs: it changes rows, and becomes the owner
-- only to make and remove the partitions of days. Neither passes row-level security.
CREATE ROLE signalpost_owner LOGIN;
CREATE ROLE signalpost_gateway LOGIN NOINHERIT;
GRANT signalpost_owner TO signalpost_gateway;
CREATE DATABASE signalpost OWNER signalpost_owner ENCODING 'UTF8' TEMPLATE template0;

\connect signalpost
REVOKE ALL ON DATABASE signalpost FROM PUBLIC;
GRANT CONNECT ON DATABASE signalpost TO signalpost_gateway;
ALTER SCHEMA public OWNER TO signalpost_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO signalpost_gateway;
ALTER DEFAULT PRIVILEGES FOR ROLE signalpost_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO signalpost_gateway;
ALTER DEFAULT PRIVILEGES FOR ROLE signalpost_owner IN SCHEMA public
    GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO signalpost_gateway;
