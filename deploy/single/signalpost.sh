#!/bin/sh
# /usr/local/bin/signalpost: runs a command of the program as the gateway's user and with the gateway's settings, so that
# root may type `signalpost check` or `signalpost db backup FILE`, and nothing in the data is left to root.
set -eu
while IFS= read -r line; do
    case $line in [A-Z]*=*) export "$line" ;; esac # as systemd reads it: nothing in a value is carried out
done < /etc/signalpost/signalpost.env
exec runuser --user signalpost -- /opt/signalpost/bin/signalpost "$@"
