"""Wrong lines in evidence: what is signed, and what is taken for proven."""

from checks.planted_lines.line import Part, PlantedLine

PROVES = "gateway/src/signalpost/domain/evidence.py"
STATES = "gateway/src/signalpost/api/resources/evidence.py"
TESTS = "gateway/tests/domain/test_evidence.py"
API_TESTS = "gateway/tests/api/test_evidence.py"

PART = Part(
    "evidence",
    (PROVES, STATES, "gateway/src/signalpost/cli/commands/evidence.py"),
    (
        PlantedLine(
            "takes a file with two statements",
            PROVES,
            "json.loads(text, object_pairs_hook=_once)",
            "json.loads(text)",
            f"{TESTS}::test_a_file_with_two_statements_of_which_the_last_is_signed_is_refused",
        ),
        PlantedLine(
            "does not sign what kind of file it is",
            PROVES,
            'return f"{FORMAT}\\n".encode() + _bytes(statement)',
            "return _bytes(statement)",
            f"{TESTS}::test_a_statement_of_whoever_signed_it_must_still_be_one",
        ),
        PlantedLine(
            "shows an event that is not the one that was stated",
            PROVES,
            "if body is not None and sha256(_bytes(body)).hexdigest() != statement.event.sha256:",
            "if body is None and statement.event.sha256 is None and evidence.body:",
            f"{TESTS}::test_another_statement_event_or_key_does_not_fit_the_signature",
        ),
        PlantedLine(
            "takes an event beside a statement that knows of none",
            PROVES,
            "if body is not None and sha256(_bytes(body)).hexdigest() != statement.event.sha256:",
            "if body and statement.event.sha256 not in (None, sha256(_bytes(body)).hexdigest()):",
            f"{TESTS}::test_evidence_of_an_erased_document_has_no_event_and_takes_none",
        ),
        PlantedLine(
            "finds the gateway's key by its name, which anybody can write",
            PROVES,
            "next((each for each in keys if each.public_key == evidence.public_key), None)",
            "next((each for each in keys), None)",
            f"{TESTS}::test_a_key_that_the_gateway_does_not_publish_is_refused",
        ),
        PlantedLine(
            "believes a name of a key that is another's",
            PROVES,
            "if evidence.key != _name_of(public_key):",
            "if not evidence.key:",
            f"{TESTS}::test_another_statement_event_or_key_does_not_fit_the_signature",
        ),
        PlantedLine(
            "takes what a retired key states for ever",
            PROVES,
            "if known.retired_at is not None and _moment(statement.stated_at) > _moment(known.retired_at):",
            "if known.retired_at is not None and _moment(known.retired_at) < 0:",
            f"{TESTS}::test_a_retired_key_proves_what_was_stated_before_and_nothing_since",
        ),
        PlantedLine(
            "signs with the key that was retired last",
            PROVES,
            "return _private_of(self._keys[0])",
            "return _private_of(self._keys[-1])",
            f"{TESTS}::test_a_retired_key_proves_what_was_stated_before_and_nothing_since",
        ),
        PlantedLine(
            "publishes the keys that it began with",
            PROVES,
            "        self._keys = tuple(keys)\n        self._published: EvidenceKeys | None = None",
            "        self._published: EvidenceKeys | None = getattr(self, '_published', None)\n"
            "        self._keys = tuple(keys)",
            f"{API_TESTS}::test_after_a_change_of_the_master_key_another_key_signs_and_the_former_one_stays_published",
        ),
        PlantedLine(
            "states the URL that a subscription has now of attempts to a former one",
            PROVES,
            "return shown_url(found.url) if found.kind == WEBHOOK and started_at >= found.moved_at else None",
            "return shown_url(found.url) if found.kind == WEBHOOK else None",
            f"{TESTS}::test_the_url_is_stated_only_of_attempts_that_no_node_can_have_made_to_a_former_one",
        ),
        PlantedLine(
            "states a credential that is in a URL",
            PROVES,
            "return shown_url(found.url) if found.kind == WEBHOOK and",
            "return found.url if found.kind == WEBHOOK and",
            f"{TESTS}::test_the_url_is_stated_only_of_attempts_that_no_node_can_have_made_to_a_former_one",
        ),
        PlantedLine(
            "states what an erased event was",
            STATES,
            "digest = None if is_erased(event) else sha256(event.body).hexdigest()",
            "digest = sha256(event.body).hexdigest()",
            f"{API_TESTS}::test_after_an_erasure_evidence_says_that_the_event_is_gone_and_earlier_evidence_still_proves_it",
        ),
        PlantedLine(
            "gives evidence by a link that shows no payloads",
            STATES,
            "portal=Capability.PAYLOAD,",
            "portal=Capability.VIEW,",
            f"{API_TESTS}::test_whoever_may_read_events_may_have_evidence_and_customers_by_a_link_that_shows_payloads",
        ),
    ),
)
