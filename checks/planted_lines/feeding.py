"""Wrong lines in how a connector feeds a gateway: what is settled, in which order, and with which key."""

from checks.planted_lines.line import Part, PlantedLine

PUMP = "connect/src/signalpost_connect/pump.py"
JUDGING = "connect/src/signalpost_connect/judging.py"
KEY = "connect/src/signalpost_connect/gateway_key.py"
TESTS = "connect/tests/test_pump.py"
KEY_TESTS = "connect/tests/test_gateway_key.py"

PART = Part(
    "feeding",
    (PUMP, JUDGING, KEY, "connect/src/signalpost_connect/reporting.py"),
    (
        PlantedLine(
            "gives no verdict on what was read ahead behind a refused batch",
            PUMP,
            "[AGAIN] * len(ahead.batch.messages)",
            "[AGAIN] * 0",
            f"{TESTS}::test_what_was_taken_ahead_of_a_refused_batch_comes_again_behind_it",
        ),
        PlantedLine(
            "reads ahead of a source that cannot",
            PUMP,
            'getattr(source, "reads_ahead", False)',
            'getattr(source, "reads_ahead", True)',
            f"{TESTS}::test_a_source_that_cannot_read_ahead_is_settled_before_it_is_asked_again",
        ),
        PlantedLine(
            "settles a batch of a source that was lost",
            PUMP,
            "            self._answered = self._ahead = None\n            return self._failed",
            "            return self._failed",
            f"{TESTS}::test_a_source_that_is_lost_while_a_batch_is_imported_gives_all_again_that_is_not_settled",
        ),
        PlantedLine(
            "takes what was not answered for done",
            JUDGING,
            "ready.unusable.get(place, AGAIN)",
            "ready.unusable.get(place, UNCHANGED)",
            f"{TESTS}::test_a_cut_leaves_all_from_the_first_unanswered_message_on",
        ),
        PlantedLine(
            "gives a message the verdict of the one after it",
            JUDGING,
            "ready.places[answer.line - 1]",
            "ready.places[answer.line % len(ready.places)]",
            f"{TESTS}::test_every_message_gets_the_verdict_of_its_own_answer",
        ),
        PlantedLine(
            "comes again sooner than the gateway wants",
            PUMP,
            "return self._pauses.next(asked)",
            "return self._pauses.next(None)",
            f"{TESTS}::test_what_was_not_answered_comes_again_after_the_time_that_the_gateway_wants",
        ),
        PlantedLine(
            "goes on with a key that was rotated",
            KEY,
            "            self._key = found",
            "            pass",
            f"{KEY_TESTS}::test_a_key_that_is_refused_is_read_again_and_the_call_made_again",
        ),
        PlantedLine(
            "repeats a call with the key that was refused",
            KEY,
            "        if self._key != used:",
            "        if self._key:",
            f"{KEY_TESTS}::test_a_key_that_is_still_the_refused_one_is_not_tried_twice",
        ),
    ),
)
