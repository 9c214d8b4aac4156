"""Wrong lines in the imports from other systems: what is carried over, and what a hostile one can do."""

from checks.planted_lines.line import Part, PlantedLine

ANSWERS = "gateway/src/signalpost/cli/commands/imported/answers.py"
COMMAND = "gateway/src/signalpost/cli/commands/imported/command.py"
MOVED = "gateway/src/signalpost/cli/commands/imported/moved.py"
SVIX = "gateway/src/signalpost/cli/commands/imported/svix.py"
CONVOY = "gateway/src/signalpost/cli/commands/imported/convoy.py"
OUTPOST = "gateway/src/signalpost/cli/commands/imported/outpost.py"
FORMER = "gateway/src/signalpost/cli/commands/imported/former.py"
TESTS = "gateway/tests/cli/former/test_import.py"
HOSTILE = "gateway/tests/cli/former/test_hostile_peer.py"

PART = Part(
    "imports",
    ("gateway/src/signalpost/cli/commands/imported/*.py",),
    (
        PlantedLine(
            "asks for compressed answers",
            ANSWERS,
            '"accept-encoding": "identity"}',
            '"accept-encoding": "gzip"}',
            f"{HOSTILE}::test_compressed_answers_are_neither_asked_for_nor_unpacked",
        ),
        PlantedLine(
            "unpacks an answer without a bound",
            ANSWERS,
            'if reply.headers.get("content-encoding", "identity") != "identity":',
            "if reply.read() is None:",
            f"{HOSTILE}::test_compressed_answers_are_neither_asked_for_nor_unpacked",
        ),
        PlantedLine(
            "looks at the size of an answer when it has all of it",
            ANSWERS,
            "        if len(content) > MAX_ANSWER_BYTES:\n            raise",
            "        if len(content) > 4 * MAX_ANSWER_BYTES:\n            raise",
            f"{HOSTILE}::test_an_answer_is_read_no_further_than_its_bound",
        ),
        PlantedLine(
            "reads the body of a refusal",
            ANSWERS,
            '_content(reply, shown) if reply.is_success else b""',
            "_content(reply, shown)",
            f"{HOSTILE}::test_the_body_of_a_refusal_is_not_read",
        ),
        PlantedLine(
            "bounds each answer, and not all together",
            ANSWERS,
            "left -= len(reply.content)",
            "left -= len(reply.content) > left",
            f"{HOSTILE}::test_all_answers_together_are_bounded",
        ),
        PlantedLine(
            "takes any depth that it can read",
            ANSWERS,
            "for _ in range(MAX_DEPTH + 1):",
            "for _ in range(10 * MAX_DEPTH * MAX_DEPTH):",
            f"{HOSTILE}::test_an_answer_that_is_nested_too_deeply_is_refused",
        ),
        PlantedLine(
            "follows a cursor for ever",
            ANSWERS,
            "for _ in range(MAX_PAGES):",
            "for _ in range(3 * MAX_PAGES):",
            f"{HOSTILE}::test_a_cursor_that_never_ends_is_given_up",
        ),
        PlantedLine(
            "follows cursors in a circle",
            ANSWERS,
            "            if at in seen:",
            "            if at in seen and len(seen) > MAX_PAGES:",
            f"{HOSTILE}::test_cursors_that_come_again_are_given_up",
        ),
        PlantedLine(
            "waits for as long as it is told to",
            ANSWERS,
            "min(int(said), _LONGEST_WAIT)",
            "int(said)",
            f"{HOSTILE}::test_no_wait_that_is_asked_for_is_longer_than_a_minute",
        ),
        PlantedLine(
            "takes a number that nobody means",
            FORMER,
            "Meta(ge=0, le=1_000_000_000)",
            "Meta(ge=0)",
            f"{HOSTILE}::test_a_number_that_nobody_means_is_refused",
        ),
        PlantedLine(
            "takes its key along with a redirect",
            ANSWERS,
            "follow_redirects=False",
            "follow_redirects=True",
            f"{TESTS}::test_what_goes_wrong_is_said_without_a_secret",
        ),
        PlantedLine(
            "takes a password in the address",
            COMMAND,
            'if "@" in urlsplit(source).netloc:',
            'if "@" in urlsplit(source).path:',
            f"{TESTS}::test_what_goes_wrong_is_said_without_a_secret",
        ),
        PlantedLine(
            "writes secrets that others can read",
            COMMAND,
            "os.O_CLOEXEC, 0o600)",
            "os.O_CLOEXEC, 0o644)",
            f"{TESTS}::test_what_is_imported_is_applied_to_a_gateway",
        ),
        PlantedLine(
            "writes into a folder with something in it",
            COMMAND,
            "if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):",
            "if folder.exists() and not folder.is_dir():",
            f"{TESTS}::test_what_goes_wrong_is_said_without_a_secret",
        ),
        PlantedLine(
            "writes a secret of a URL into the file",
            MOVED,
            'secrets.keep(former.url, name, "url") if hidden_parts(former.url) else former.url',
            "former.url",
            f"{TESTS}::test_what_earlier_versions_of_svix_say_and_what_is_lost_of_an_endpoint",
        ),
        PlantedLine(
            "gives two secrets one file",
            MOVED,
            '.strip("-")[:100] or "secret", self.files)',
            '.strip("-")[:100] or "secret", ())',
            f"{TESTS}::test_names_and_the_files_of_secrets_are_each_there_once",
        ),
        PlantedLine(
            "takes a dot in a type's name for any character",
            MOVED,
            '".*".join(map(re.escape, pattern.split(ALL)))',
            '".*".join(pattern.split(ALL))',
            f"{TESTS}::test_types_have_counterparts_by_their_names",
        ),
        PlantedLine(
            "leaves lines in what it writes as a comment",
            MOVED,
            'return "".join(each for each in " ".join(text.split()) if each.isprintable())',
            'return "".join(each for each in text if each == "\\n" or each.isprintable())',
            f"{TESTS}::test_names_and_the_files_of_secrets_are_each_there_once",
        ),
        PlantedLine(
            "begins to send at once",
            MOVED,
            'table["status"] = "paused"',
            'table["status"] = "active"',
            f"{TESTS}::test_an_endpoint_of_svix_keeps_its_secret_its_headers_and_its_limit",
        ),
        PlantedLine(
            "takes a private key of Svix for a secret",
            SVIX,
            "is_shared = key.startswith(_SYMMETRIC) or not key.startswith(_OF_ANOTHER_KIND)",
            "is_shared = True",
            f"{TESTS}::test_a_private_key_of_svix_is_no_secret_and_only_the_applications_that_were_named_are_read",
        ),
        PlantedLine(
            "signs with a secret of Convoy that expires",
            CONVOY,
            "if not each.deleted_at and not each.expires_at]",
            "if not each.deleted_at][::-1]",
            f"{TESTS}::test_a_subscription_of_convoy_signs_as_its_endpoint_did",
        ),
        PlantedLine(
            "signs for Convoy without the moment",
            CONVOY,
            'over="{timestamp},{body}" if endpoint.advanced_signatures else "{body}"',
            'over="{body}"',
            f"{TESTS}::test_a_subscription_of_convoy_signs_as_its_endpoint_did",
        ),
        PlantedLine(
            "signs as Outpost does usually, whatever its settings",
            OUTPOST,
            'header = said("SIGNATURE_HEADER_NAME", f"{prefix}signature").strip()',
            'header = f"{prefix}signature"',
            f"{TESTS}::test_the_settings_of_outpost_say_how_it_signs",
        ),
    ),
)
