#!/bin/sh
# Makes the secrets that compose.yaml names, once, in the folder SECRETS or in secrets/ beside this file:
#     sudo sh deploy/container/secrets.sh
set -euC
umask 077
folder=${SECRETS:-$(dirname "$0")/secrets}
mkdir -p "$folder"
cd "$folder"
openssl rand -hex 24 > postgres-password
echo "postgresql://signalpost:$(cat postgres-password)@database/signalpost" > database-url
openssl rand -base64 32 > master-key
echo "sp_$(openssl rand -hex 30 | cut -c1-43)" > operator-key
chown 10001 database-url master-key operator-key
