"""Wrong lines in the tools for assistants: what they are shown, and what they may start."""

from checks.planted_lines.line import Part, PlantedLine

VIEW = "mcp-server/src/signalpost_mcp/view.py"
PLANS = "mcp-server/src/signalpost_mcp/plans.py"
READS = "mcp-server/src/signalpost_mcp/reading.py"
SAYS = "mcp-server/src/signalpost_mcp/refusals.py"
SERVES = "mcp-server/src/signalpost_mcp/server.py"
TESTS = "mcp-server/tests/test_conversations.py"

PART = Part(
    "MCP",
    ("mcp-server/src/signalpost_mcp/*.py",),
    (
        PlantedLine(
            "shows what is quoted to whom asked for no payloads",
            VIEW,
            "written = names | quoted if self.show_payloads else names",
            "written = names | quoted",
            f"{TESTS}::test_the_key_of_a_viewer_is_enough_to_find_what_failed_and_why",
        ),
        PlantedLine(
            "shows what others wrote among its own words",
            VIEW,
            "return {MARK: kept} if kept else {}",
            "return kept",
            f"{TESTS}::test_payloads_and_answers_are_shown_only_if_asked_for_and_as_the_text_of_others",
        ),
        PlantedLine(
            "shows the name of a source as its own words",
            VIEW,
            '**self._marked({"name": found.name}, {}),',
            '"name": found.name,',
            f"{TESTS}::test_a_key_of_one_tenant_is_told_of_its_own_sources_alone_and_of_their_names_as_the_text_of_others",
        ),
        PlantedLine(
            "quotes an answer in the remedy",
            VIEW,
            '"remedy": found.remedy}',
            '"remedy": found.for_us}',
            f"{TESTS}::test_the_key_of_a_viewer_is_enough_to_find_what_failed_and_why",
        ),
        PlantedLine(
            "starts a replay whatever count it is told",
            PLANS,
            "if count != plan.count:",
            "if count < 0:",
            f"{TESTS}::test_a_replay_wants_the_count_and_token_of_its_plan_and_sends_nothing_twice",
        ),
        PlantedLine(
            "starts a replay of more than the person was told",
            PLANS,
            "if counted.count != plan.count:",
            "if counted.count < plan.count:",
            f"{TESTS}::test_a_plan_whose_count_changed_is_not_carried_out",
        ),
        PlantedLine(
            "sends twice if it is called again",
            PLANS,
            "idempotency_key=token",
            "idempotency_key=str(uuid.uuid4())",
            f"{TESTS}::test_a_replay_wants_the_count_and_token_of_its_plan_and_sends_nothing_twice",
        ),
        PlantedLine(
            "lets every assistant replay",
            SERVES,
            "    if allow_replay:\n",
            "    if allow_replay or True:\n",
            f"{TESTS}::test_the_key_of_a_viewer_is_enough_to_find_what_failed_and_why",
        ),
        PlantedLine(
            "calls a replay a read",
            SERVES,
            "server.add_tool(planned.replay, annotations=_SENDS,",
            "server.add_tool(planned.replay, annotations=_READS,",
            f"{TESTS}::test_a_replay_wants_the_count_and_token_of_its_plan_and_sends_nothing_twice",
        ),
        PlantedLine(
            "takes an old gateway for one that lacks the event",
            SAYS,
            "        case UnknownCall():\n",
            "        case UnknownCall() if not error.code:\n",
            f"{TESTS}::test_an_old_gateway_is_told_apart_from_one_that_lacks_an_event",
        ),
    ),
)
