#!/bin/sh
# Makes the two base images of Debian's packages, under their names, for `make deploy-drill` on a machine without a registry:
#     sudo ENGINE=podman sh deploy/container/bases.sh
# It needs mmdebstrap. The images are as large as they come, and for the drill alone.
set -eu
engine=${ENGINE:-docker}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat > "$folder/postgres" << 'END'
#!/bin/sh
# What the drill needs of the official image: a database and its owner, named in the environment.
set -eu
data=/var/lib/postgresql/data
as_postgres="setpriv --reuid postgres --regid postgres --clear-groups --"
install --directory --owner postgres --group postgres /run/postgresql
if ! [ -s "$data/PG_VERSION" ]; then
    install --directory --owner postgres --group postgres --mode 0700 "$data"
    install --owner postgres --mode 0600 "$POSTGRES_PASSWORD_FILE" /tmp/password
    $as_postgres initdb --pgdata "$data" --username "$POSTGRES_USER" --pwfile /tmp/password \
        --auth-host scram-sha-256 --encoding UTF8
    rm /tmp/password
    echo "CREATE DATABASE $POSTGRES_USER" | $as_postgres postgres --single -D "$data" postgres
    echo "host all all all scram-sha-256" >> "$data/pg_hba.conf"
fi
exec $as_postgres postgres -D "$data" -c listen_addresses='*'
END
chmod 755 "$folder/postgres"

# How this machine reaches an index of packages.
set --
for file in /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
    [ ! -f "$file" ] || set -- "$@" --customize-hook="copy-in $file $(dirname "$file")"
done
mmdebstrap --include=ca-certificates,python-is-python3,python3-venv "$@" trixie "$folder/python.tar"
"$engine" import "$folder/python.tar" docker.io/library/python:3.13-slim
rm "$folder/python.tar"

mmdebstrap --include=postgresql-17 --customize-hook="copy-in $folder/postgres /usr/local/bin" trixie "$folder/postgres.tar"
"$engine" import \
    --change 'ENV PATH=/usr/lib/postgresql/17/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin' \
    --change 'ENTRYPOINT ["/usr/local/bin/postgres"]' \
    "$folder/postgres.tar" docker.io/library/postgres:18
