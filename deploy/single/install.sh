#!/bin/sh
# Installs a gateway with SQLite on this machine, as root, from this tree. The argument is the name at which clients will
# reach it:
#     sh deploy/single/install.sh gateway.example.com
# Run it again to upgrade: it replaces the program and the units, and changes nothing in /etc/signalpost.
set -eu
name=${1:?is missing: the name at which clients reach the gateway, such as gateway.example.com}
here=$(cd "$(dirname "$0")" && pwd)
tree=$here/../..
settings=/etc/signalpost

getent passwd signalpost > /dev/null ||
    useradd --system --user-group --home-dir /var/lib/signalpost --no-create-home --shell /usr/sbin/nologin signalpost

"${PYTHON:-/usr/bin/python3}" -m venv /opt/signalpost
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=1
/opt/signalpost/bin/pip install --require-hashes --requirement "$tree/requirements/runtime.txt"

# What builds the program goes again once it is built.
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
/opt/signalpost/bin/python -m venv "$build/tools"
"$build/tools/bin/pip" install --require-hashes --requirement "$tree/requirements/build.txt"
"$build/tools/bin/pip" wheel --no-deps --no-build-isolation --wheel-dir "$build" "$tree/receiver" "$tree/client" "$tree/gateway"
/opt/signalpost/bin/pip install --no-deps --force-reinstall "$build"/*.whl

install -d -m 750 -o root -g signalpost "$settings"
install -d -m 700 -o signalpost -g signalpost /var/lib/signalpost /var/backups/signalpost
if [ ! -e "$settings/master-key" ]; then
    openssl rand -base64 32 | install -m 640 -o root -g signalpost /dev/stdin "$settings/master-key"
fi
if [ ! -e "$settings/signalpost.env" ]; then
    sed "s/gateway\.example\.com/$name/" "$here/signalpost.env" |
        install -m 640 -o root -g signalpost /dev/stdin "$settings/signalpost.env"
fi

install -D -m 755 -t /usr/local/lib/signalpost "$here/backup.sh" "$here/alert.py"
install -D -m 755 "$here/signalpost.sh" /usr/local/bin/signalpost
install -D -m 644 -t /etc/systemd/system "$here"/*.service "$here"/*.timer
if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi

cat << END
Installed. What comes next:
  1. Look at $settings/signalpost.env, and keep a copy of $settings/master-key away from this machine.
  2. systemctl enable --now signalpost signalpost-backup.timer signalpost-check.timer
  3. Put a proxy in front, then: signalpost check
END
