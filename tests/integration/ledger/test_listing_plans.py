"""What a page of a listing costs among many records: named indexes, no scan, bounded buffers.

The log is made in bulk by SQL, with what a courier's ledger has: a platform's account in every
record, many customers with a few each, two couriers, accounts that sleep, one record in five
annotated, one in twenty a hold. The planner is left as it is, with the statistics of ANALYZE, and
each statement runs as often as it takes to be prepared for good.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import psycopg
import pytest
from psycopg import sql
from tests.support.postgres import database

from tandem.ledger.core.accounts import AccountClass, AccountStatus
from tandem.ledger.core.filters import (
    AccountFilter,
    RecordFilter,
    Span,
    metadata_term,
    reference_term,
)
from tandem.ledger.core.kinds import RecordKind
from tandem.ledger.storage.account_listings import account_statement
from tandem.ledger.storage.listings import Bounds, Numbers, record_statement
from tandem.ledger.storage.postgres import ROLE
from tandem.ledger.storage.queries import query
from tandem.platform.database import migrate

RECORDS: Final = 50_000
DRILL_RECORDS: Final = 1_000_000
LEDGER: Final = 2
LIMIT: Final = 101
EXECUTIONS: Final = 6  # from the sixth on PostgreSQL may keep one plan for all parameters

PLATFORM: Final = 1
COURIERS: Final = (2, 3)
CREW: Final = range(4, 104)
SLEEPERS: Final = range(104, 604)
FIRST_CUSTOMER: Final = 604

_ACCOUNTS: Final = """
INSERT INTO ledger.account (ledger_id, account_no, address, asset, account_class, status,
    opened_seq, opened_at_us, metadata)
SELECT {ledger}, number, CASE
        WHEN number = 1 THEN 'platform'
        WHEN number < 4 THEN 'couriers:' || number
        WHEN number < 104 THEN 'crew:' || number
        WHEN number < 604 THEN 'sleepers:' || number
        ELSE 'customers:' || number
    END, CASE WHEN number % 1000 = 5 THEN 'SEK/2' ELSE 'EUR/2' END,
    CASE WHEN number % 2 = 0 THEN 'liability' ELSE 'asset' END,
    CASE WHEN number % 500 = 5 THEN 'frozen' ELSE 'open' END,
    number, number, CASE WHEN number % 3 = 0 THEN '{{"tier":"gold"}}' ELSE '{{}}' END
FROM generate_series(1, 603 + {customers}) AS number
"""
# The other account of a record: mostly a customer.
_OTHER: Final = """
CASE
    WHEN seq % 10007 = 0 THEN 2 + seq % 2
    WHEN seq % 50 = 7 THEN 4 + seq % 100
    WHEN seq % 5003 = 0 THEN 104 + seq % 500
    ELSE 604 + seq * 7919 % {customers}
END
"""
_RECORDS: Final = """
INSERT INTO ledger.record (ledger_id, seq, recorded_at_us, kind, idempotency_key, body)
SELECT {ledger}, seq, seq * 1000,
    CASE WHEN seq % 20 = 0 THEN 4 WHEN seq % 4001 = 0 THEN 8 ELSE 3 END,
    'key-' || seq,
    format(
        '{{"v":1,"position":%s,"recorded_at_us":%s,"kind":"transaction","key":"key-%s","entries":'
        || '[["platform",1,1250,%s,0,0,0],["%s",2,1250,0,%s,0,0]],"metadata":{{"note":"%s"}}}}',
        seq, seq * 1000, seq, seq * 1250, account.address, seq * 1250, repeat('x', 100)
    )
FROM generate_series(1::bigint, {records}) AS seq
JOIN ledger.account ON account.ledger_id = {ledger} AND account.account_no = {other}
ORDER BY seq
"""
_ENTRIES: Final = """
INSERT INTO ledger.entry
SELECT {ledger}, CASE leg WHEN 0 THEN 1 ELSE {other} END, seq, leg, 1 + leg, 1250, seq, seq, 0, 0
FROM generate_series(1::bigint, {records}) AS seq, generate_series(0, 1) AS leg
ORDER BY seq, leg
"""
_ANNOTATIONS: Final = """
INSERT INTO ledger.annotation
SELECT %(ledger)s, unnest(ARRAY[
    (%(orders)s::uuid[])[seq / 50 + 1], %(app)s::uuid, (%(cities)s::uuid[])[seq %% 997 + 1]
]), seq
FROM generate_series(5::bigint, %(records)s, 5) AS seq
ORDER BY seq
"""
CITIES: Final = 997


@dataclass(frozen=True, slots=True)
class Many:
    """A database with two ledgers; the one that is asked has so many records."""

    connection: psycopg.Connection
    records: int
    customers: int


def _fill(connection: psycopg.Connection, ledger: int, records: int, customers: int) -> None:
    for statement in (_ACCOUNTS, _RECORDS, _ENTRIES):
        text = statement.replace("{other}", _OTHER)
        text = text.format(ledger=ledger, records=records, customers=customers)
        connection.execute(text)
    connection.execute(
        _ANNOTATIONS,
        {
            "ledger": ledger,
            "records": records,
            "orders": [reference_term(f"order-{number}") for number in range(records // 50 + 1)],
            "cities": [metadata_term("city", str(number)) for number in range(CITIES)],
            "app": metadata_term("channel", "app"),
        },
    )
    connection.execute(
        "INSERT INTO ledger.account_annotation"
        " SELECT ledger_id, %s::uuid, address, opened_seq FROM ledger.account"
        " WHERE ledger_id = %s AND account_no %% 3 = 0",
        [metadata_term("tier", "gold"), ledger],
    )
    connection.execute(
        "INSERT INTO ledger.head VALUES (%s, %s, %s, %s, %s, '')",
        [ledger, f"ledger-{ledger}", records, records * 1000, FIRST_CUSTOMER + customers],
    )


def _filled(uri: str, records: int) -> Iterator[Many]:
    migrate(uri, "tandem.ledger.storage:migrations", "ledger")
    customers = records // 10
    with psycopg.connect(uri, autocommit=True) as connection:
        _fill(connection, 1, records // 20, customers)
        _fill(connection, LEDGER, records, customers)
        connection.execute("ANALYZE")
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(ROLE)))
        yield Many(connection, records, customers)


_SIZES: Final = (
    pytest.param(RECORDS, id="fifty-thousand"),
    pytest.param(DRILL_RECORDS, id="a-million", marks=pytest.mark.drill),
)


@pytest.fixture(scope="module", params=_SIZES)
def many(request: pytest.FixtureRequest, postgres_uri: str) -> Iterator[Many]:
    """A database of its own with many records."""
    with database(postgres_uri) as uri:
        yield from _filled(uri, request.param)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a plan did: its indexes, the tables it scanned, the buffers it touched, its rows."""

    indexes: frozenset[str]
    scanned: frozenset[str]
    buffers: int
    rows: int


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _cost(plan: Mapping[str, Any]) -> Cost:
    nodes = list(_nodes(plan))
    return Cost(
        frozenset(node["Index Name"] for node in nodes if "Index Name" in node),
        frozenset(node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"),
        plan["Shared Hit Blocks"] + plan["Shared Read Blocks"],
        int(plan["Actual Rows"]),
    )


def _explained(many: Many, text: str, parameters: Mapping[str, Any]) -> list[Cost]:
    """Cost a statement when it is new, and when it was run often enough to be prepared for good."""
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", text)))
    for number, name in enumerate(names, 1):
        text = text.replace(f"%({name})s", f"${number}")
    given = sql.SQL(", ").join(sql.Literal(parameters[name]) for name in names)
    execute = sql.SQL("EXECUTE page({})").format(given)
    explain = sql.SQL("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ") + execute
    connection = many.connection
    connection.execute(f"PREPARE page AS {text}")
    try:
        costs = []
        for number in range(EXECUTIONS + 1):
            if number in (0, EXECUTIONS):
                row = connection.execute(explain).fetchone()
                assert row is not None
                costs.append(_cost(row[0][0]["Plan"]))
            else:
                connection.execute(execute)
        return costs
    finally:
        connection.execute("DEALLOCATE page")


class Case(NamedTuple):
    """A filter, the statement that answers it, its indexes and how much a page may touch."""

    chosen: RecordFilter
    name: str
    indexes: set[str]
    buffers: int
    numbers: Numbers = Numbers()
    part: tuple[int, int] = (0, 100)  # of the log, in hundredths


RECORD, ENTRY, ANNOTATION, KIND = "record_pkey", "entry_pkey", "annotation_pkey", "record_kind"
_APP: Final = {"channel": "app"}
_ONE_CUSTOMER: Final = FIRST_CUSTOMER + 5
_Of = RecordFilter

# A record of a page costs four or five buffers by its index, and one or two in its list; a probe
# costs four or five; a stretch of the log at most a buffer for each record, mostly far less.
_CASES: Final[dict[str, Case]] = {
    "everything": Case(_Of(), "list_window", {RECORD}, 120),
    "a time range": Case(_Of(), "list_window", {RECORD}, 120, part=(40, 60)),
    "an account in all records": Case(
        _Of(account="platform"), "list_one", {ENTRY, RECORD}, 800, Numbers(PLATFORM)),
    "an account in few records": Case(
        _Of(account="c"), "list_one", {ENTRY, RECORD}, 800, Numbers(_ONE_CUSTOMER)),
    "an account in a time range": Case(
        _Of(account="platform"), "list_one", {ENTRY, RECORD}, 800, Numbers(PLATFORM), (90, 95)),
    "a frequent kind": Case(_Of(kind=RecordKind.HOLD), "list_one", {KIND, RECORD}, 800),
    "a rare kind": Case(_Of(kind=RecordKind.REVERSAL), "list_one", {KIND, RECORD}, 800),
    "transactions": Case(_Of(kind=RecordKind.TRANSACTION), "list_window", {RECORD}, 120),
    "a reference": Case(_Of(reference="order-77"), "list_one", {ANNOTATION, RECORD}, 800),
    "frequent metadata": Case(_Of(metadata=_APP), "list_one", {ANNOTATION, RECORD}, 800),
    "rare metadata": Case(_Of(metadata={"city": "7"}), "list_one", {ANNOTATION, RECORD}, 800),
    "metadata that nothing has": Case(
        _Of(metadata={"city": "x"}), "list_one", {ANNOTATION}, 800),
    "rare and frequent metadata": Case(
        _Of(metadata={"city": "7", **_APP}), "list_walk", {ANNOTATION, RECORD}, 3_000),
    "an account and a kind": Case(
        _Of(account="platform", kind=RecordKind.HOLD), "list_walk", {ENTRY, KIND, RECORD}, 3_000,
        Numbers(PLATFORM)),
    "an account and frequent metadata": Case(
        _Of(account="c", metadata=_APP), "list_walk", {ENTRY, ANNOTATION}, 3_000,
        Numbers(_ONE_CUSTOMER)),
    "an account and transactions": Case(
        _Of(account="platform", kind=RecordKind.TRANSACTION), "list_walk", {ENTRY, RECORD}, 3_000,
        Numbers(PLATFORM)),
    "a kind and frequent metadata": Case(
        _Of(kind=RecordKind.REVERSAL, metadata=_APP), "list_walk", {KIND, ANNOTATION}, 6_000),
    "two accounts under a prefix": Case(
        _Of(account_prefix="couriers"), "list_merged", {ENTRY, RECORD}, 1_200,
        Numbers(below=COURIERS)),
    "a hundred accounts under a prefix": Case(
        _Of(account_prefix="crew"), "list_merged", {ENTRY, RECORD}, 12_000, Numbers(below=CREW)),
    "two accounts and metadata": Case(
        _Of(account_prefix="couriers", metadata=_APP), "list_walk", {ENTRY, ANNOTATION}, 12_000,
        Numbers(below=COURIERS)),
    "a prefix of most records": Case(
        _Of(account_prefix="customers"), "list_window", {RECORD}, 120),
    "a prefix of many accounts in few records": Case(
        _Of(account_prefix="sleepers"), "list_window", {RECORD}, 1_000),
    "a prefix of many accounts and a reference": Case(
        _Of(account_prefix="customers", reference="order-77"), "list_walk", {ANNOTATION, RECORD},
        800),
    "a prefix of many accounts and metadata": Case(
        # Ten thousand probes of six blocks, of which some read on over the end of one.
        _Of(account_prefix="sleepers", metadata=_APP), "list_walk", {ANNOTATION, RECORD}, 61_000),
}  # fmt: skip


@pytest.mark.parametrize("newest_first", [False, True], ids=["oldest", "newest"])
@pytest.mark.parametrize("case", _CASES.values(), ids=[name.replace(" ", "-") for name in _CASES])
def test_a_page_costs_little(many: Many, case: Case, newest_first: bool) -> None:
    """Whatever the filter, by its indexes, without a scan, within so many buffers."""
    low, high = (many.records * hundredth // 100 for hundredth in case.part)
    span = Span(low + 1, high, newest_first)
    statement = record_statement(LEDGER, case.chosen, case.numbers, span, LIMIT, Bounds())
    assert statement.name == case.name
    for cost in _explained(many, statement.text, statement.parameters):
        assert cost.scanned == set()
        assert case.indexes <= cost.indexes <= {RECORD, ENTRY, ANNOTATION, KIND}
        assert cost.buffers <= case.buffers
        assert cost.rows <= LIMIT + 1


_ADDRESS: Final = {"account_ledger_id_address_key"}
_GOLD: Final = {"tier": "gold"}
_NAMED: Final = "account_annotation_pkey"
# A walk looks each account up again; the indexes of columns are read in order, heap and all.
_ACCOUNT_CASES: Final[dict[str, tuple[AccountFilter, str, set[str], int]]] = {
    "everything": (AccountFilter(), "accounts", _ADDRESS, 200),
    "a prefix": (AccountFilter("customers"), "accounts", _ADDRESS, 200),
    "a frequent asset": (AccountFilter(asset="EUR/2"), "accounts", set(), 200),
    "a rare asset": (AccountFilter(asset="SEK/2"), "accounts", {"account_asset"}, 200),
    "a class": (
        AccountFilter(account_class=AccountClass.ASSET), "accounts", set(), 300),
    "a status": (
        AccountFilter(status=AccountStatus.FROZEN), "accounts", {"account_status"}, 200),
    "metadata": (AccountFilter(metadata=_GOLD), "accounts_walk", {_NAMED}, 3_000),
    "a prefix and metadata": (
        AccountFilter("sleepers", metadata=_GOLD), "accounts_walk", {_NAMED}, 3_000),
    "an asset and a status": (
        AccountFilter(asset="SEK/2", status=AccountStatus.FROZEN), "accounts_walk",
        {"account_asset", "account_status"}, 3_000),
    "everything at once": (
        AccountFilter("customers", "EUR/2", AccountClass.LIABILITY, AccountStatus.OPEN, _GOLD),
        "accounts_walk", {_NAMED}, 12_000),
}  # fmt: skip


@pytest.mark.parametrize(
    ("chosen", "name", "indexes", "buffers"),
    _ACCOUNT_CASES.values(),
    ids=[name.replace(" ", "-") for name in _ACCOUNT_CASES],
)
def test_a_page_of_accounts_costs_little(
    many: Many, chosen: AccountFilter, name: str, indexes: set[str], buffers: int
) -> None:
    """Whatever the filter, from the start and from the middle."""
    for after in ("", "customers:5"):
        statement = account_statement(LEDGER, chosen, after, LIMIT, Bounds())
        assert statement.name == name
        for cost in _explained(many, statement.text, statement.parameters):
            assert cost.scanned == set()
            assert indexes <= cost.indexes
            assert cost.buffers <= buffers
            assert cost.rows <= LIMIT + 1


_HELPERS: Final[list[tuple[str, dict[str, Any], set[str], int]]] = [
    ("position_at", {"time_us": 12_345_678}, {RECORD}, 300),
    ("accounts_below", {"prefix": "customers", "limit": 101}, _ADDRESS, 250),
    ("accounts_below", {"prefix": "couriers", "limit": 101}, _ADDRESS, 250),
    ("account", {"address": "customers:700"}, _ADDRESS, 12),
]


@pytest.mark.parametrize(("name", "given", "indexes", "buffers"), _HELPERS)
def test_what_a_listing_looks_up_costs_little(
    many: Many, name: str, given: dict[str, Any], indexes: set[str], buffers: int
) -> None:
    """Times to positions, prefixes and addresses to numbers."""
    for cost in _explained(many, query(name), {"ledger_id": LEDGER, **given}):
        assert cost.scanned <= {"head"}
        assert indexes <= cost.indexes
        assert cost.buffers <= buffers
