"""What a client writes of a command, a server reads as that command."""

import json

from hypothesis import assume, given
from hypothesis import strategies as st
from tests.property.ledger_core.strategies import addresses, amounts, assets, keys, singles

from tandem.ledger.core import intake
from tandem.ledger.core.commands import SingleCommand
from tandem.ledger.core.refusals import Refused
from tandem.ledger.http.bodies import read_command
from tandem.ledger.wire import command_members


@given(singles)
def test_every_command_comes_through(command: SingleCommand) -> None:
    """By way of JSON text, whatever it is that a server takes."""
    members = json.loads(json.dumps(command_members(command)))
    try:
        read = read_command(members)
    except Refused:
        assume(False)
    assert read == command


@given(keys, addresses, addresses, amounts, st.none() | assets)
def test_a_transfer_is_written_short(
    key: str, debited: str, credited: str, amount_minor: int, asset: str | None
) -> None:
    """Two plain entries need no list of them."""
    command = intake.transfer(key, debited, credited, amount_minor, asset)
    members = command_members(command)
    assert members["kind"] == "transfer"
    assert read_command(members) == command
