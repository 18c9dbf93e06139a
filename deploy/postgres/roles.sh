#!/bin/sh
# Makes the database and its two roles: an owner that migrates, and the application's, which row-level security binds.
# PostgreSQL's image runs this once, when the data folder is new. Elsewhere: run it with PGHOST, PGUSER ... of an administrator.
set -eu
password="$(cat "${OWNER_PASSWORD_FILE:-/run/secrets/owner_password}")"
psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 -v password="$password" --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
CREATE ROLE eisenergy_owner LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE ROLE eisenergy_app NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
GRANT eisenergy_app TO eisenergy_owner;
CREATE DATABASE eisenergy OWNER eisenergy_owner;
REVOKE ALL ON DATABASE eisenergy FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE eisenergy TO eisenergy_app;
SQL
