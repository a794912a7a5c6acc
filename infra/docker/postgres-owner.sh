#!/bin/sh
# Runs once, when the database is made: the log belongs to a user who is no superuser.
set -eu
psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\set password `cat /run/secrets/database_password`
create role afterschool login createrole password :'password';
create database afterschool owner afterschool;
SQL
