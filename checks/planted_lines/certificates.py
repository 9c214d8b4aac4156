"""Wrong lines in client certificates and own authorities: which are taken, and what speaks TLS with them."""

from checks.planted_lines.line import Part, PlantedLine

READS = "gateway/src/signalpost/domain/own_tls.py"
CONTEXT = "gateway/src/signalpost/sender/tls_context.py"
TESTS = "gateway/tests/api/test_own_tls.py"
SENDER_TESTS = "gateway/tests/sender/test_sender_endpoint_tls.py"

PART = Part(
    "client certificates",
    ("gateway/src/signalpost/domain/own_tls.py", "gateway/src/signalpost/sender/tls_context.py"),
    (
        PlantedLine(
            "takes a key of another certificate",
            READS,
            "if key.public_key() != _public_key_of(chain[0]):",
            "if key.public_key() is None:",
            f"{TESTS}::test_what_cannot_be_used_is_named",
        ),
        PlantedLine(
            "takes a key that is too short",
            READS,
            "_MIN_RSA_BITS: Final = 2048",
            "_MIN_RSA_BITS: Final = 1024",
            f"{TESTS}::test_what_cannot_be_used_is_named",
        ),
        PlantedLine(
            "takes a certificate that has expired",
            READS,
            "certificate is not None and certificate.ends_at <= now:",
            "certificate is not None and certificate.ends_at <= 0:",
            f"{TESTS}::test_an_expired_certificate_is_refused",
        ),
        PlantedLine(
            "takes authorities for an endpoint without TLS",
            READS,
            "if (certificate is not None or authorities) and not url",
            "if certificate is not None and not url",
            f"{TESTS}::test_what_cannot_be_used_is_named",
        ),
        PlantedLine(
            "trusts its own authorities beside all others",
            CONTEXT,
            "        context = _untrusting(*protocols)\n        context.load_verify_locations(cadata=",
            "        context = tls_context(ca_file, *protocols)\n        context.load_verify_locations(cadata=",
            f"{SENDER_TESTS}::test_own_authorities_are_trusted_by_one_subscription_in_place_of_all_others",
        ),
        PlantedLine(
            "offers no certificate",
            CONTEXT,
            "    if tls.chain:\n",
            "    if tls.chain and tls.authorities:\n",
            f"{SENDER_TESTS}::test_each_subscription_offers_its_own_certificate_on_connections_of_its_own",
        ),
        PlantedLine(
            "takes whom it does not know for the endpoint",
            CONTEXT,
            "    context.minimum_version = ssl.TLSVersion.TLSv1_2\n",
            "    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE\n",
            f"{SENDER_TESTS}::test_own_authorities_are_trusted_by_one_subscription_in_place_of_all_others",
        ),
    ),
)
