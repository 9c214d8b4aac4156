#!/usr/bin/env bash
# Verifies one Signalpost request: its body on standard input, its headers as HTTP_… variables, the secret in
# SIGNALPOST_SECRET, and during a rotation the other one in SIGNALPOST_NEXT_SECRET. Exits 0 if the request is genuine.
# For looking at a request by hand: while openssl runs, other users of the machine can see the key in its arguments.
set -euo pipefail

hex() { od -An -v -tx1 | tr -d ' \n'; }

hmac() { # hmac DIGEST KEY_AS_HEX: the HMAC of standard input, in binary
  openssl dgst "-$1" -mac HMAC -macopt "hexkey:$2" -binary
}

standard_key() { # The key of webhook-signature: the decoded bytes of a whsec_… secret, else the secret's own bytes.
  local decoded
  if [[ $1 == whsec_* ]] && decoded=$(printf %s "${1#whsec_}" | base64 -d 2>/dev/null | hex) &&
    ((${#decoded} >= 48 && ${#decoded} <= 128)); then
    printf %s "$decoded"
  else
    printf %s "$1" | hex
  fi
}

# Comparing hashes under a fresh key tells an attacker who measures the time nothing about the values.
once=$(openssl rand -hex 32)
same() { [[ $(printf %s "$1" | hmac sha256 "$once" | hex) == $(printf %s "$2" | hmac sha256 "$once" | hex) ]]; }

genuine() { # genuine BODY_FILE SECRET…
  local body=$1 secret expected given
  shift
  for secret in "$@"; do
    expected=$(hmac sha512 "$(printf %s "$secret" | hex)" <"$body" | hex)
    for given in "${HTTP_PLEXUS_WEBHOOK_SIGNATURE:-}" "${HTTP_PLEXUS_WEBHOOK_SIGNATURE_ALTERNATE:-}"; do
      if same "$given" "$expected"; then return 0; fi
    done
    expected=v1,$({ printf %s "${HTTP_WEBHOOK_ID:-}.${HTTP_WEBHOOK_TIMESTAMP:-}." && cat "$body"; } |
      hmac sha256 "$(standard_key "$secret")" | base64 -w0)
    local -a entries
    read -ra entries <<<"${HTTP_WEBHOOK_SIGNATURE:-}"
    for given in ${entries[@]+"${entries[@]}"}; do
      if same "$given" "$expected"; then return 0; fi
    done
  done
  return 1
}

# A file keeps the exact bytes; a shell variable would drop NULs and the last line's end.
body=$(mktemp)
trap 'rm -f "$body"' EXIT
cat >"$body"
secrets=()
for secret in "${SIGNALPOST_SECRET:-}" "${SIGNALPOST_NEXT_SECRET:-}"; do
  if [[ -n $secret ]]; then secrets+=("$secret"); fi # with an empty secret anybody could sign
done
if genuine "$body" ${secrets[@]+"${secrets[@]}"}; then echo genuine; else
  echo forged
  exit 1
fi
