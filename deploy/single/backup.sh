#!/bin/sh
# Copies the database, and the files that it does not have yet, to BACKUP_FOLDER. What is older than BACKUP_DAYS goes:
# copies of the database, and files that the gateway removed so long ago.
set -eu
umask 077
program=${PROGRAM:-/opt/signalpost/bin/signalpost}
files=$SIGNALPOST_DATA_DIR/files

"$program" db backup "$BACKUP_FOLDER/signalpost-$(date -u +%Y-%m-%dT%H-%M-%SZ).db"
find "$BACKUP_FOLDER" -maxdepth 1 -name 'signalpost-*.db' -mtime +"$BACKUP_DAYS" -delete
[ -d "$files" ] || exit 0 # files in a bucket are not here

mkdir -p "$BACKUP_FOLDER/files"
cd "$BACKUP_FOLDER/files"
find . -name '*.part' -delete # of a backup that was interrupted
listed=$(mktemp)
trap 'rm -f "$listed"' EXIT
names_and_sizes() { find "$1" -maxdepth 1 -type f -printf '%f %s\n' | sort; }
names_and_sizes "$files" > "$listed"
# Files never change, but one that was being uploaded is copied again: it has another size now.
names_and_sizes . | comm -13 - "$listed" | while read -r name _; do
    if cp "$files/$name" "$name.part"; then
        mv "$name.part" "$name"
    elif [ -e "$files/$name" ]; then # what is gone was removed a moment ago
        exit 1
    fi
done
cut -d ' ' -f 1 "$listed" | xargs -r touch -c -- # they were still there today
find . -type f -mtime +"$BACKUP_DAYS" -delete
