#!/bin/sh
# Draws every secret of docker-compose.yml at random, once: what is there already is kept, so that data can still be read.
# Supabase's secret key is yours to bring: AFTERSCHOOL_SUPABASE_SECRET_KEY.
set -eu

directory=${1:-$(dirname "$0")/secrets}
mkdir -p "$directory"
# Containers read the files as users of their own, so on the host the directory is what keeps others out.
chmod 700 "$directory"
umask 022

draw() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
keep() { [ -e "$directory/$1" ] || printf '%s\n' "$2" >"$directory/$1"; }
read_back() { cat "$directory/$1"; }
a_key() { printf '{"1": "%s"}' "$(head -c 32 /dev/urandom | base64 | tr -d '\n')"; }

for name in postgres_password database_password objects_user objects_password; do
    keep "$name" "$(draw)"
done
keep database_url "postgresql://afterschool:$(read_back database_password)@postgres:5432/afterschool"

password=$(draw)
keep redis_conf "requirepass $password"
keep redis_url "redis://:$(read_back redis_conf | sed 's/requirepass //')@redis:6379/0"

password=$(draw)
keep rabbitmq_conf "default_user = afterschool
default_pass = $password"
keep rabbitmq_url "amqp://afterschool:$(read_back rabbitmq_conf | sed -n 's/default_pass = //p')@rabbitmq:5672/"

keep master_keys "$(a_key)"
keep fingerprint_keys "$(a_key)"

if [ ! -e "$directory/supabase_secret_key" ]; then
    keep supabase_secret_key "${AFTERSCHOOL_SUPABASE_SECRET_KEY:?the secret key of your Supabase project}"
fi
