"""The laws of the tables of states that connections, requests and tokens move by."""

from enum import IntEnum

import pytest
from gateway.tests.state_tables import Table, reached

from signalpost.engine.connectors import token_state as token
from signalpost.listener import connection_state as connection
from signalpost.listener import request_state as request
from signalpost.listener import tls_state as tls

TABLES = [
    pytest.param(connection.STAGES, connection.StageInput, {connection.ConnectionStage.LOST}, id="stage"),
    pytest.param(
        connection.PERSISTENCE,
        connection.PersistenceInput,
        {connection.Persistence.STOPPING},
        id="persistence",
    ),
    pytest.param(connection.INTAKES, connection.IntakeInput, {connection.Intake.ENDED}, id="intake"),
    pytest.param(
        request.BODIES,
        request.BodyInput,
        {request.BodyState.BROKEN, request.BodyState.READ_AND_LAST},
        id="body",
    ),
    pytest.param(request.ANSWERS, request.AnswerInput, {request.AnswerState.OVER}, id="answer"),
    pytest.param(tls.TLS_STAGES, tls.TlsInput, {tls.TlsStage.REFUSED, tls.TlsStage.OVER}, id="tls"),
    pytest.param(token.ASKINGS, token.AskingInput, {token.Asking.CLOSED}, id="asking"),
]
"""Each table with its inputs and the states in which it ends."""
LASTING = [pytest.param(token.TOKEN_HOLDS, token.TokenHoldInput, {token.TokenHold.FREE}, id="token_hold")]
"""A table that has no end, with the state to which it comes back."""


@pytest.mark.parametrize(("table", "inputs", "ends"), TABLES + LASTING)
def test_every_input_of_every_state_leads_to_a_state_or_is_refused(
    table: Table, inputs: type[IntEnum], ends: set[IntEnum]
) -> None:
    states = set(type(next(iter(table))))
    assert set(table) == states
    assert {taken for row in table.values() for taken in row} == set(inputs)
    for state in states:
        for taken in inputs:
            if taken in table[state]:
                assert table[state][taken] in states
            else:
                with pytest.raises(KeyError):
                    table[state][taken]


@pytest.mark.parametrize(("table", "inputs", "ends"), TABLES + LASTING)
def test_an_end_is_reached_from_every_state(table: Table, inputs: type[IntEnum], ends: set[IntEnum]) -> None:
    assert all(reached(table, state) & ends for state in table)


@pytest.mark.parametrize(("table", "inputs", "ends"), TABLES)
def test_an_end_is_never_left(table: Table, inputs: type[IntEnum], ends: set[IntEnum]) -> None:
    assert all(reached(table, end) == {end} for end in ends)


BEGINNINGS = [
    pytest.param(connection.STAGES, {connection.ConnectionStage.NEW}, id="stage"),
    pytest.param(connection.PERSISTENCE, {connection.Persistence.KEPT}, id="persistence"),
    pytest.param(connection.INTAKES, {connection.Intake.PROCESSED}, id="intake"),
    pytest.param(request.BODIES, {*request.BODIES_BEGIN}, id="body"),
    pytest.param(request.ANSWERS, {request.AnswerState.NONE}, id="answer"),
    pytest.param(tls.TLS_STAGES, {tls.TlsStage.SHAKING}, id="tls"),
    pytest.param(token.ASKINGS, {token.Asking.IDLE}, id="asking"),
    pytest.param(token.TOKEN_HOLDS, {token.TokenHold.FREE}, id="token_hold"),
]


@pytest.mark.parametrize(("table", "first"), BEGINNINGS)
def test_every_state_is_reached_from_where_it_begins(table: Table, first: set[IntEnum]) -> None:
    assert set().union(*(reached(table, state) for state in first)) == set(table)


NO_WAY_BACK = [
    pytest.param(connection.STAGES, connection.ConnectionStage.REFUSED, id="what comes is thrown away"),
    pytest.param(connection.PERSISTENCE, connection.Persistence.LAST, id="no other request follows"),
    pytest.param(connection.INTAKES, connection.Intake.QUEUED_AND_ENDED, id="the client has sent its last byte"),
    pytest.param(request.BODIES, request.BodyState.WHOLE, id="the whole body has arrived"),
    pytest.param(tls.TLS_STAGES, tls.TlsStage.OPEN, id="the HTTP connection knows of it"),
]


@pytest.mark.parametrize(("table", "bound"), NO_WAY_BACK)
def test_states_that_are_compared_by_their_order_have_no_way_back(table: Table, bound: IntEnum) -> None:
    assert all(after >= bound for state in table if state >= bound for after in reached(table, state))
