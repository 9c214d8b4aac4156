//! Verifies one Signalpost request: its body on standard input, its headers as HTTP_… variables, the secret in
//! SIGNALPOST_SECRET, and during a rotation the other one in SIGNALPOST_NEXT_SECRET. Exits 0 if the request is genuine.

use std::collections::HashMap;
use std::io::Read;
use std::process::ExitCode;

use base64::{engine::general_purpose::STANDARD, Engine};
use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha512};

/// Whether one of the secrets signed the request. The body is exactly as it arrived, names of headers in lower case.
pub fn genuine(body: &[u8], headers: &HashMap<String, String>, secrets: &[String]) -> bool {
    let header = |name: &str| headers.get(name).map_or("", String::as_str);
    secrets.iter().any(|secret| {
        let page = Hmac::<Sha512>::new_from_slice(secret.as_bytes())
            .expect("any length")
            .chain_update(body);
        let standard = Hmac::<Sha256>::new_from_slice(&standard_key(secret))
            .expect("any length")
            .chain_update(format!(
                "{}.{}.",
                header("webhook-id"),
                header("webhook-timestamp")
            ))
            .chain_update(body);
        // `verify_slice` compares in constant time.
        [
            "plexus-webhook-signature",
            "plexus-webhook-signature-alternate",
        ]
        .iter()
        .filter_map(|name| lower_hex(header(name)))
        .any(|given| page.clone().verify_slice(&given).is_ok())
            || header("webhook-signature")
                .split(' ')
                .filter_map(|entry| STANDARD.decode(entry.strip_prefix("v1,")?).ok())
                .any(|given| standard.clone().verify_slice(&given).is_ok())
    })
}

fn lower_hex(text: &str) -> Option<Vec<u8>> {
    let bytes = hex::decode(text).ok()?;
    (hex::encode(&bytes) == text).then_some(bytes)
}

/// The key of webhook-signature: the decoded bytes of a whsec_… secret, else the secret's own bytes.
fn standard_key(secret: &str) -> Vec<u8> {
    secret
        .strip_prefix("whsec_")
        .and_then(|encoded| STANDARD.decode(encoded).ok())
        .filter(|key| (24..=64).contains(&key.len()))
        .unwrap_or_else(|| secret.as_bytes().to_vec())
}

fn main() -> ExitCode {
    let mut body = Vec::new();
    std::io::stdin()
        .read_to_end(&mut body)
        .expect("a body on standard input");
    let headers = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter_map(|(name, value)| {
            Some((
                name.strip_prefix("HTTP_")?.to_lowercase().replace('_', "-"),
                value,
            ))
        })
        .collect();
    let secrets: Vec<String> = ["SIGNALPOST_SECRET", "SIGNALPOST_NEXT_SECRET"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .filter(|secret| !secret.is_empty()) // with an empty secret anybody could sign
        .collect();
    let is_genuine = genuine(&body, &headers, &secrets);
    println!("{}", if is_genuine { "genuine" } else { "forged" });
    if is_genuine {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
