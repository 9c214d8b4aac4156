"""Wrong lines in the tokens that endpoints want: when they are asked for, where they go, and what is kept of them."""

from checks.planted_lines.line import Part, PlantedLine

CLIENT = "gateway/src/signalpost/domain/oauth.py"
SECRETS = "gateway/src/signalpost/domain/secrets.py"
AGES = "gateway/src/signalpost/engine/connectors/access_token.py"
TOKENS = "gateway/src/signalpost/engine/connectors/endpoint_tokens.py"
ENDPOINTS = "gateway/src/signalpost/engine/connectors/token_endpoints.py"
TESTS = "gateway/tests/engine/test_endpoint_tokens.py"
API_TESTS = "gateway/tests/api/test_oauth.py"
STRUCK_TESTS = "gateway/tests/domain/test_secrets.py"

PART = Part(
    "OAuth",
    (
        "gateway/src/signalpost/domain/oauth.py",
        "gateway/src/signalpost/domain/secrets.py",
        "gateway/src/signalpost/engine/connectors/access_token.py",
        "gateway/src/signalpost/engine/connectors/endpoint_tokens.py",
        "gateway/src/signalpost/engine/connectors/token_endpoints.py",
    ),
    (
        PlantedLine(
            "sends a token of any type as a Bearer token",
            ENDPOINTS,
            '_check_bearer(reply.at("token_type"))',
            "_check_bearer(None)",
            f"{TESTS}::test_a_token_of_another_type_than_bearer_is_refused_with_its_name",
        ),
        PlantedLine(
            "wants the type of a token in just these letters",
            ENDPOINTS,
            'token_type.lower() == "bearer"',
            'token_type == "Bearer"',
            f"{TESTS}::test_the_type_of_a_token_may_be_in_any_letters_and_may_be_missing",
        ),
        PlantedLine(
            "keeps the ends of a Basic value that is repeated",
            SECRETS,
            'yield base64.b64encode(f"{name}:{secret}".encode()).decode()',
            "yield secret",
            f"{STRUCK_TESTS}::test_what_a_client_says_in_its_header_is_struck_wholly_in_whatever_encoding_it_comes_back",
        ),
        PlantedLine(
            "keeps a secret that comes back as JSON of PHP",
            SECRETS,
            'yield in_json.replace("/", "\\\\/")',
            "yield in_json",
            f"{STRUCK_TESTS}::test_what_a_client_says_in_its_header_is_struck_wholly_in_whatever_encoding_it_comes_back",
        ),
        PlantedLine(
            "keeps a secret whose percent signs have small letters",
            SECRETS,
            "yield _PERCENT.sub(lambda found: found[0].lower(), quoted)",
            "yield quoted",
            f"{STRUCK_TESTS}::test_what_a_client_says_in_its_header_is_struck_wholly_in_whatever_encoding_it_comes_back",
        ),
        PlantedLine(
            "keeps the part of a secret at which an answer was cut off",
            SECRETS,
            "return struck if begins == len(struck) else struck[:begins] + STRUCK.encode()",
            "return struck",
            f"{STRUCK_TESTS}::test_a_secret_that_is_cut_off_at_the_end_of_what_is_kept_is_struck",
        ),
        PlantedLine(
            "puts a secret into a header as it is",
            CLIENT,
            "return quote_plus(credential)",
            "return credential",
            f"{TESTS}::test_id_and_secret_are_encoded_before_they_go_in_the_header",
        ),
        PlantedLine(
            "takes a header that stands where the token goes",
            CLIENT,
            "any(name.lower() == HEADER for name in headers)",
            "any(name == HEADER.title() + '!' for name in headers)",
            f"{API_TESTS}::test_no_header_takes_the_place_of_the_token_later",
        ),
        PlantedLine(
            "asks for a token for each who waits",
            TOKENS,
            "        if self._asking is None:\n",
            "        if self._asking is None or not self._asking.done():\n",
            f"{TESTS}::test_one_token_is_asked_for_by_all_who_wait_and_renewed_before_its_end",
        ),
        PlantedLine(
            "keeps a token to its end",
            AGES,
            "min(RENEWED_BEFORE, max(0, ends_at - now) // 2)",
            "0",
            f"{TESTS}::test_one_token_is_asked_for_by_all_who_wait_and_renewed_before_its_end",
        ),
        PlantedLine(
            "counts an attempt whose token had ended",
            AGES,
            "        return token.was_accepted\n",
            "        return False\n",
            f"{TESTS}::test_a_401_to_a_token_that_was_good_costs_no_attempt",
        ),
        PlantedLine(
            "does not wait for as long as a token endpoint asks for",
            TOKENS,
            "self._failure(str(error), min(error.wait, MAX_WAIT))",
            "self._failure(str(error))",
            f"{TESTS}::test_a_token_endpoint_that_is_away_fails_the_attempt_which_says_so",
        ),
        PlantedLine(
            "keeps the token in an answer that repeats it",
            TOKENS,
            'return without_secrets(outcome, Secrets((authorization.removeprefix("Bearer "),)))',
            "return outcome",
            f"{TESTS}::test_neither_secret_nor_token_is_in_what_is_kept",
        ),
        PlantedLine(
            "goes on as the client that it was",
            TOKENS,
            "if found is None or found.client != client:",
            "if found is None:",
            f"{TESTS}::test_a_client_that_is_refused_disables_nothing_and_its_new_secret_counts_at_once",
        ),
        PlantedLine(
            "counts an attempt that a stop cut off while it waited for a token",
            TOKENS,
            "came = _CUT if error.is_cut else self._failure(",
            "came = self._failure(",
            f"{TESTS}::test_an_attempt_that_waits_for_a_token_as_the_gateway_stops_does_not_count",
        ),
    ),
)
