#!/bin/sh
# Makes the secrets that compose.yaml names, those that are missing: passwords, and a certificate signed by itself.
#   prepare.sh HOST [FOLDER]     HOST: the name people use; FOLDER: default secrets, beside this file
set -eu
host="${1:?name the host people use, such as portal.example}"
folder="${2:-$(dirname "$0")/secrets}"
umask 077
mkdir -p "$folder"

for name in postgres_password owner_password; do
    [ -e "$folder/$name" ] || openssl rand -hex 24 | tr -d '\n' > "$folder/$name"
done
[ -e "$folder/pgpass" ] || printf '*:*:eisenergy:eisenergy_owner:%s\n' "$(cat "$folder/owner_password")" > "$folder/pgpass"
if [ ! -e "$folder/portal.key" ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -sha256 -days 397 -noenc -subj "/CN=$host" -addext "subjectAltName=DNS:$host" \
        -keyout "$folder/portal.key" -out "$folder/portal.crt" 2> "$folder/openssl.log" || { cat "$folder/openssl.log" >&2; exit 1; }
    rm -f "$folder/openssl.log"
    echo "portal.crt is signed by itself, and browsers will say so: put a real certificate and its key in its place."
fi

# The container's user reads its own password file; libpq takes none that others can read. PostgreSQL's image runs as 999.
if [ "$(id -u)" -eq 0 ]; then
    chown 10001 "$folder/pgpass"
    chown 999 "$folder/postgres_password" "$folder/owner_password"
else
    echo "run as root to hand the files to the containers' users (chown 10001 pgpass; chown 999 *_password)."
fi
echo "secrets are in $folder"
