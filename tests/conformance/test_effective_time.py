"""Effective time: business dates, closed periods, statements, totals by either time."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.support.doors import Wire, code_of, fund, head, refused

from tandem.ledger import api, commands
from tandem.ledger.core.commands import SingleCommand
from tandem.platform.auth import Permission

pytestmark = pytest.mark.anyio

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


async def _spend(
    ledger: api.Ledger, amount_minor: int, key: str, effective_at: datetime | None = None
) -> api.Record:
    return await ledger.transfer(
        debit_account="wallets:a",
        credit_account="wallets:b",
        amount_minor=amount_minor,
        effective_at=effective_at,
        idempotency_key=key,
    )


async def _funded(ledger: api.Ledger, amount_minor: int = 100) -> api.Record:
    return await ledger.transfer(
        debit_account="cash",
        credit_account="wallets:a",
        amount_minor=amount_minor,
        effective_at=LONG_AGO,
        idempotency_key="funded",
    )


async def _at(ledger: api.Ledger, when: datetime, known: int | None = None) -> int:
    balance = await ledger.balance("wallets:a", effective_at=when, at_position=known)
    return balance.balance_minor


async def test_a_back_dated_transaction_counts_from_its_date(ledger: api.Ledger) -> None:
    """As of its date and later, but only as known since it was recorded."""
    made = await _funded(ledger)
    assert made.effective_at == LONG_AGO
    assert made.recorded_at > LONG_AGO
    assert await _at(ledger, LONG_AGO - DAY) == 0
    assert await _at(ledger, LONG_AGO) == 100
    assert await _at(ledger, made.recorded_at) == 100
    assert await _at(ledger, LONG_AGO, made.position - 1) == 0
    assert (await ledger.balance("wallets:a")).balance_minor == 100
    assert await ledger.transaction(made.position) == made


async def test_a_post_dated_transaction_counts_from_its_date(ledger: api.Ledger) -> None:
    """It moves the money at once; as of a date before its own it did not happen."""
    await _funded(ledger)
    later = datetime(2090, 1, 1, tzinfo=UTC)
    made = await _spend(ledger, 30, "later", later)
    assert (await ledger.balance("wallets:a")).balance_minor == 70
    assert await _at(ledger, made.recorded_at) == 100
    assert await _at(ledger, later - timedelta(microseconds=1)) == 100
    assert await _at(ledger, later) == 70


async def test_what_is_known_at_a_time_does_not_change(ledger: api.Ledger) -> None:
    """As known at a past time, what was recorded later has no part, whatever its date."""
    first = await _funded(ledger)
    seen = await ledger.balance("wallets:a", effective_at=LONG_AGO, at_time=first.recorded_at)
    await _spend(ledger, 40, "earlier", LONG_AGO)
    again = await ledger.balance("wallets:a", effective_at=LONG_AGO, at_time=first.recorded_at)
    assert seen == again
    assert await _at(ledger, LONG_AGO) == 60


async def test_an_account_may_have_a_past_before_it_was_opened(ledger: api.Ledger) -> None:
    """Books that are brought in are older than their accounts; unknown accounts stay unknown."""
    await _funded(ledger)
    assert await _at(ledger, LONG_AGO + DAY) == 100
    opened = (await ledger.account("wallets:a")).opened_position
    unknown = ledger.balance("wallets:a", effective_at=LONG_AGO, at_position=opened - 1)
    assert (await refused(unknown)).code == "account_not_found"


async def test_a_capture_has_its_own_date(ledger: api.Ledger) -> None:
    """What was held is pending as recorded; what is posted counts from the capture's date."""
    await _funded(ledger)
    hold = await ledger.hold(
        [api.debit("wallets:a", 40), api.credit("wallets:b", 40)], idempotency_key="hold"
    )
    made = await ledger.capture(
        hold.position, amount_minor=25, effective_at=LONG_AGO, idempotency_key="capture"
    )
    assert made.effective_at == LONG_AGO
    assert await _at(ledger, LONG_AGO) == 75
    now = await ledger.balance("wallets:a")
    assert (now.balance_minor, now.available_minor, now.pending_debits_minor) == (75, 60, 15)
    dated = await ledger.balance("wallets:a", effective_at=made.recorded_at)
    assert (dated.balance_minor, dated.pending_debits_minor) == (75, 15)


@pytest.mark.parametrize("effective_at", [None, "original", LONG_AGO + DAY])
async def test_a_reversal_takes_the_date_it_is_given(
    ledger: api.Ledger, effective_at: datetime | api.Original | None
) -> None:
    """Its own by default, the original's where asked, or any other."""
    await _funded(ledger)
    spent = await _spend(ledger, 30, "spent", LONG_AGO)
    made = await ledger.reverse(
        spent.position, effective_at=effective_at, idempotency_key="reversal"
    )
    expected = LONG_AGO if effective_at == "original" else effective_at
    assert made.effective_at == expected
    when = made.recorded_at if expected is None else expected
    assert isinstance(when, datetime)
    assert await _at(ledger, when) == 100
    assert await _at(ledger, when - timedelta(microseconds=1)) == (0 if when == LONG_AGO else 70)


async def test_a_reversal_can_take_the_date_of_what_has_none_of_its_own(
    ledger: api.Ledger,
) -> None:
    """The original's date is then the time at which it was recorded."""
    made = await fund(ledger, "wallets:a", 10)
    back = await ledger.reverse(made.position, effective_at="original", idempotency_key="back")
    assert back.effective_at == made.recorded_at
    assert await _at(ledger, made.recorded_at) == 0


async def test_a_closed_period_takes_nothing_more(ledger: api.Ledger) -> None:
    """At its end or before it is refused, for every kind that has a date; later is not."""
    await _funded(ledger)
    spent = await _spend(ledger, 30, "spent", LONG_AGO)
    closed = await ledger.close_period(
        through=LONG_AGO + DAY, metadata={"by": "ada"}, idempotency_key="close"
    )
    assert (closed.kind, closed.closed_through) == ("close_period", LONG_AGO + DAY)
    late = _spend(ledger, 1, "late", LONG_AGO + DAY)
    refusal = await refused(late)
    assert (refusal.code, refusal.field) == ("period_closed", "effective_at")
    back = ledger.reverse(spent.position, effective_at="original", idempotency_key="back")
    assert (await refused(back)).code == "period_closed"
    hold = await ledger.hold(
        [api.debit("wallets:a", 5), api.credit("wallets:b", 5)], idempotency_key="hold"
    )
    capture = ledger.capture(hold.position, effective_at=LONG_AGO, idempotency_key="capture")
    assert (await refused(capture)).code == "period_closed"
    await _spend(ledger, 1, "in-time", LONG_AGO + DAY + timedelta(microseconds=1))
    await _spend(ledger, 1, "now")
    assert await _at(ledger, LONG_AGO + DAY) == 70
    assert (await ledger.verify()).holds


async def test_closing_goes_forward_and_never_into_the_future(ledger: api.Ledger) -> None:
    """A period that is not over or closed already is not closed; the same key replays."""
    closed = await ledger.close_period(through=LONG_AGO, idempotency_key="close")
    again = await ledger.close_period(through=LONG_AGO, idempotency_key="close")
    assert (again.position, again.replayed) == (closed.position, True)
    for key, through in (("same", LONG_AGO), ("earlier", LONG_AGO - DAY)):
        refusal = await refused(ledger.close_period(through=through, idempotency_key=key))
        assert (refusal.code, refusal.field) == ("period_closed", "through")
    future = ledger.close_period(through=datetime(2090, 1, 1, tzinfo=UTC), idempotency_key="future")
    assert (await refused(future)).code == "malformed"
    await ledger.close_period(through=LONG_AGO + DAY, idempotency_key="next")


async def test_a_batch_closes_and_is_closed_to(ledger: api.Ledger) -> None:
    """Later commands see the period closed; an atomic batch leaves no trace of it."""
    await _funded(ledger)
    members: list[SingleCommand] = [
        commands.close_period(through=LONG_AGO),
        commands.transfer(
            debit_account="wallets:a",
            credit_account="wallets:b",
            amount_minor=1,
            effective_at=LONG_AGO,
        ),
    ]
    whole = ledger.submit_batch(members, mode="atomic", idempotency_key="whole")
    assert (await refused(whole)).code == "period_closed"
    await _spend(ledger, 1, "open-still", LONG_AGO)
    keyed = [command._replace(key=f"key-{number}") for number, command in enumerate(members)]
    receipts = await ledger.submit_batch(keyed)
    assert receipts[0].refusal is None
    assert receipts[1].refusal is not None
    assert receipts[1].refusal.code == "period_closed"


async def test_the_same_key_with_another_date_is_another_command(ledger: api.Ledger) -> None:
    """A date is part of what is asked."""
    await _funded(ledger)
    await _spend(ledger, 1, "key", LONG_AGO)
    for other in (None, LONG_AGO + DAY):
        refusal = await refused(_spend(ledger, 1, "key", other))
        assert refusal.code == "idempotency_key_reused"
    assert (await _spend(ledger, 1, "key", LONG_AGO)).replayed


async def test_totals_as_of_a_date_balance(ledger: api.Ledger) -> None:
    """Debits equal credits as of every date, and assets without an entry by then are at zero."""
    await _funded(ledger)
    await _spend(ledger, 30, "later", LONG_AGO + DAY)
    for when, moved in ((LONG_AGO - DAY, 0), (LONG_AGO, 100), (LONG_AGO + DAY, 130)):
        totals = await ledger.trial_balance(effective_at=when)
        assert totals.balanced
        assert sum(line.posted_debits_minor for line in totals.lines) == moved
    known = await ledger.trial_balance(effective_at=LONG_AGO, at_position=3)
    assert [line.posted_debits_minor for line in known.lines] in ([], [0])


@pytest.mark.parametrize("by", ["effective", "recorded"])
async def test_a_statement_adds_up(ledger: api.Ledger, by: str) -> None:
    """Opening plus lines is closing, on every way through its pages."""
    await _funded(ledger)
    for number in range(5):
        when = LONG_AGO + DAY * (3 - number) if number % 2 else None
        await _spend(ledger, number + 1, f"key-{number}", when)
    for limit in (1, 2, 100):
        pages = [await ledger.statement("wallets:a", by=by, limit=limit)]
        while pages[-1].next_cursor:
            cursor = pages[-1].next_cursor
            pages.append(await ledger.statement("wallets:a", by=by, limit=limit, cursor=cursor))
        assert (
            len({(page.opening_balance_minor, page.closing_balance_minor) for page in pages}) == 1
        )
        lines = [line for page in pages for line in page.lines]
        times = [line.effective_at if by == "effective" else line.recorded_at for line in lines]
        assert times == sorted(times)
        assert len(lines) == 6
        balance = 0
        for line in lines:
            balance += line.amount_minor if line.direction == "credit" else -line.amount_minor
            assert line.balance_minor == balance


async def test_a_statement_of_a_period(ledger: api.Ledger) -> None:
    """It begins with what was there at its beginning and ends just before its end."""
    await _funded(ledger)
    for number in range(4):
        await _spend(ledger, 10, f"key-{number}", LONG_AGO + DAY * number)
    of = await ledger.statement(
        "wallets:a", from_time=LONG_AGO + DAY, until_time=LONG_AGO + DAY * 3
    )
    assert (of.opening_balance_minor, of.closing_balance_minor) == (90, 70)
    assert [line.effective_at for line in of.lines] == [LONG_AGO + DAY, LONG_AGO + DAY * 2]
    assert [line.balance_minor for line in of.lines] == [80, 70]
    recorded = await ledger.statement(
        "wallets:a", by="recorded", from_time=LONG_AGO, until_time=LONG_AGO + DAY * 9
    )
    assert recorded.lines == ()
    assert (recorded.opening_balance_minor, recorded.closing_balance_minor) == (0, 0)


async def test_a_statement_is_pinned_while_it_is_read(ledger: api.Ledger) -> None:
    """What is recorded between two pages is not in it, not even with an earlier date."""
    await _funded(ledger)
    await _spend(ledger, 10, "one", LONG_AGO + DAY * 2)
    known = await head(ledger)
    first = await ledger.statement("wallets:a", limit=1)
    await _spend(ledger, 5, "two", LONG_AGO + DAY)
    rest = await ledger.statement("wallets:a", limit=9, cursor=first.next_cursor)
    assert [line.balance_minor for line in rest.lines] == [90]
    assert rest.closing_balance_minor == 90
    whole = await ledger.statement("wallets:a", at_position=known)
    assert (*first.lines, *rest.lines) == whole.lines


async def test_what_is_no_statement_is_refused(ledger: api.Ledger) -> None:
    """Another's cursor, another period's, nonsense, an end before the beginning."""
    await _funded(ledger)
    await _spend(ledger, 10, "one", LONG_AGO)
    cursor = (await ledger.statement("wallets:a", limit=1)).next_cursor
    asked = [
        ledger.statement("wallets:b", cursor=cursor),
        ledger.statement("wallets:a", cursor=cursor, by="recorded"),
        ledger.statement("wallets:a", cursor=cursor, from_time=LONG_AGO),
        ledger.statement("wallets:a", cursor="nonsense"),
        ledger.statement("wallets:a", by="weather"),
        ledger.statement("wallets:a", from_time=LONG_AGO, until_time=LONG_AGO),
        ledger.statement("wallets:a", limit=0),
    ]
    for one in asked:
        assert (await refused(one)).code == "malformed"
    assert (await refused(ledger.statement("wallets:z"))).code == "account_not_found"


async def test_a_date_without_an_offset_is_no_date(ledger: api.Ledger) -> None:
    """Refused by every call that takes one, and nothing is written."""
    bare = LONG_AGO.replace(tzinfo=None)
    before = await head(ledger)
    for call in (
        lambda: _spend(ledger, 1, "bare", bare),
        lambda: ledger.close_period(through=bare, idempotency_key="bare"),
        lambda: ledger.balance("wallets:a", effective_at=bare),
        lambda: ledger.statement("wallets:a", from_time=bare),
    ):
        assert (await refused(call())).code == "malformed"
    assert await head(ledger) == before


async def test_closing_needs_the_permission(wire: Wire) -> None:
    """A key that may only write closes no period, not even inside a batch."""
    keys = wire.server.keys
    writer = await keys.create_key("writer", [Permission.WRITE])
    body = {"through": "2020-01-01T00:00:00Z"}
    authorization = f"Bearer {writer}"
    answer = await wire.post("/periods", body, Authorization=authorization)
    assert code_of(answer) == "forbidden"
    batch = {"commands": [{"kind": "close_period", "idempotency_key": "k", **body}]}
    answer = await wire.post("/batches", batch, Authorization=authorization)
    assert answer.json()["receipts"][0]["refusal"]["code"] == "forbidden"
    assert (await wire.post("/periods", body)).status_code == 201
