"""Every step of a delivery may be taken again after a crash, and nothing comes of it twice."""

from collections.abc import AsyncIterator

import pytest
from tests.support.courier import CHEAP, DEAR, Town, open_town

from tandem.courier.day import Fate, PlannedDelivery
from tandem.courier.delivery import State
from tandem.courier.errors import OutcomeUnknown
from tandem.courier.report import Outcome
from tandem.courier.service import CASH, REVENUE, earnings, wallet
from tandem.ledger.client import RefusalCode, Refused

pytestmark = pytest.mark.anyio

FUNDS_MINOR = 20_000
LAST_STEP = 3


@pytest.fixture
async def town(database_uri: str, valhalla_url: str) -> AsyncIterator[Town]:
    """A server whose platform accounts are open."""
    async with open_town(database_uri, valhalla_url) as running:
        await running.service().open_platform()
        yield running


async def open_people(town: Town, number: int, funds_minor: int = FUNDS_MINOR) -> None:
    """Open the accounts of one customer and one courier."""
    await town.service().open_customer(number, funds_minor)
    await town.service().open_courier(number)


async def take_steps(town: Town, delivery: PlannedDelivery, count: int) -> None:
    """Take the first steps of a delivery, one call each, then stop as if the process had died."""
    service, order = town.service(), delivery.order
    quote = await service.quote(order)
    if count < 1:
        return
    held = await service.hold(order, quote)
    if count < 2:
        return
    if delivery.fate is Fate.CANCEL:
        await service.release(order, held)
        return
    captured = await service.capture(order, held)
    if count < LAST_STEP or delivery.fate is not Fate.REFUND:
        return
    await service.refund(order, captured)


def compared(outcome: Outcome) -> tuple[State, str | None, int]:
    """Reduce an outcome to what must not differ between two deliveries of the same trip."""
    assert outcome.quote is not None
    return outcome.state, outcome.reason, outcome.quote.split.price_minor


@pytest.mark.parametrize("fate", Fate)
async def test_delivery_ends_the_same_wherever_it_was_interrupted(town: Town, fate: Fate) -> None:
    """After a crash at any point, starting over ends as an undisturbed delivery does."""
    ends = set()
    for number, steps in enumerate([None, *range(LAST_STEP + 1)]):
        await open_people(town, number)
        delivery = town.planned(number, fate)
        if steps is not None:
            await take_steps(town, delivery, steps)
        outcome = await town.dispatcher().deliver(delivery)
        again = await town.dispatcher().deliver(delivery)
        assert compared(again) == compared(outcome)
        ends.add(
            (
                compared(outcome),
                await town.balance_minor(wallet(number)),
                await town.balance_minor(earnings(number)),
            )
        )
    assert len(ends) == 1, "an interrupted delivery ended in another way than the undisturbed one"
    assert (await town.ledger.trial_balance()).balanced
    assert (await town.ledger.verify()).holds


async def test_first_hold_binds_its_price(town: Town) -> None:
    """When the tariff rose between a crash and the new start, the customer pays the first price."""
    await open_people(town, 1)
    delivery = town.planned(1, Fate.DELIVER)
    await take_steps(town, delivery, 1)
    outcome = await town.dispatcher(DEAR).deliver(delivery)
    assert outcome.state is State.DELIVERED
    assert outcome.quote is not None
    assert outcome.quote == await town.service(CHEAP).quote(delivery.order)
    paid_minor = FUNDS_MINOR - await town.balance_minor(wallet(1))
    assert paid_minor == outcome.quote.split.price_minor < DEAR.base_minor


async def test_declined_stays_declined(town: Town) -> None:
    """A customer refused at one price is refused again, though the new price could be paid."""
    await open_people(town, 1, funds_minor=DEAR.base_minor - 1)
    delivery = town.planned(1, Fate.DELIVER)
    dear = await town.dispatcher(DEAR).deliver(delivery)
    cheap = await town.dispatcher(CHEAP).deliver(delivery)
    assert {dear.state, cheap.state} == {State.REFUSED}
    assert {dear.reason, cheap.reason} == {RefusalCode.INSUFFICIENT_FUNDS}
    assert await town.balance_minor(wallet(1)) == DEAR.base_minor - 1


async def test_key_that_belongs_to_something_else_is_not_taken_for_a_hold(town: Town) -> None:
    """Where the key names another command, the step stops instead of guessing."""
    await open_people(town, 1)
    delivery = town.planned(1, Fate.DELIVER)
    await town.ledger.transfer(
        debit_account=CASH,
        credit_account=wallet(1),
        amount_minor=1,
        idempotency_key=f"delivery:{delivery.order.delivery_id}:hold",
    )
    with pytest.raises(OutcomeUnknown):
        await town.dispatcher().deliver(delivery)


async def test_money_moves_as_the_quote_says(town: Town) -> None:
    """Courier and platform get their parts, the customer pays both, cash stays what came in."""
    await open_people(town, 1)
    outcome = await town.dispatcher().deliver(town.planned(1, Fate.DELIVER))
    assert outcome.quote is not None
    split = outcome.quote.split
    assert await town.balance_minor(earnings(1)) == split.courier_minor
    assert await town.balance_minor(REVENUE) == split.platform_minor
    assert await town.balance_minor(wallet(1)) == FUNDS_MINOR - split.price_minor
    assert await town.balance_minor(CASH) == FUNDS_MINOR


async def test_opening_the_same_accounts_again_changes_nothing(town: Town) -> None:
    """Accounts and deposits can be repeated too; the money is paid in once."""
    for _ in range(2):
        await town.service().open_platform()
        await open_people(town, 1)
    assert await town.balance_minor(wallet(1)) == FUNDS_MINOR


async def test_wallet_without_a_customer_stops_the_delivery(town: Town) -> None:
    """An account that is not there is a fault of ours, not a customer without funds."""
    with pytest.raises(Refused) as refused:
        await town.dispatcher().deliver(town.planned(9, Fate.DELIVER))
    assert refused.value.code is RefusalCode.ACCOUNT_NOT_FOUND
