<?php
// Verifies one Signalpost request: its body on standard input, its headers as HTTP_… variables, the secret in
// SIGNALPOST_SECRET, and during a rotation the other one in SIGNALPOST_NEXT_SECRET. Exits 0 if the request is genuine.
// Behind a web server, read the body from php://input; the headers are in $_SERVER there too.
declare(strict_types=1);

/** Whether one of the secrets signed the request. $body is exactly as it arrived, $headers named as in $_SERVER. */
function genuine(string $body, array $headers, array $secrets): bool
{
    foreach ($secrets as $secret) {
        $page = hash_hmac('sha512', $body, $secret);
        foreach (['HTTP_PLEXUS_WEBHOOK_SIGNATURE', 'HTTP_PLEXUS_WEBHOOK_SIGNATURE_ALTERNATE'] as $name) {
            if (hash_equals($page, $headers[$name] ?? '')) { // in constant time
                return true;
            }
        }
        $signed = ($headers['HTTP_WEBHOOK_ID'] ?? '') . '.' . ($headers['HTTP_WEBHOOK_TIMESTAMP'] ?? '') . '.' . $body;
        $standard = 'v1,' . base64_encode(hash_hmac('sha256', $signed, standard_key($secret), true));
        foreach (explode(' ', $headers['HTTP_WEBHOOK_SIGNATURE'] ?? '') as $entry) {
            if (hash_equals($standard, $entry)) {
                return true;
            }
        }
    }
    return false;
}

/** The key of webhook-signature: the decoded bytes of a whsec_… secret, else the secret's own bytes. */
function standard_key(string $secret): string
{
    if (str_starts_with($secret, 'whsec_')) {
        $key = base64_decode(substr($secret, 6), true);
        if ($key !== false && strlen($key) >= 24 && strlen($key) <= 64) {
            return $key;
        }
    }
    return $secret;
}

$known = [getenv('SIGNALPOST_SECRET'), getenv('SIGNALPOST_NEXT_SECRET')];
$secrets = array_filter($known, fn($secret) => $secret !== false && $secret !== ''); // anybody has an empty one
$isGenuine = genuine(file_get_contents('php://stdin'), $_SERVER, $secrets);
echo $isGenuine ? "genuine\n" : "forged\n";
exit($isGenuine ? 0 : 1);
