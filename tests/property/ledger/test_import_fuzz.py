"""Any bytes: every line is accepted or reported, nothing crashes, nothing is half written."""

import json

import anyio
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.clock import VirtualClock
from tests.support.doors import in_process, open_usual
from tests.support.exchange import import_bytes

from tandem.ledger.exchange.lines import HeaderError
from tandem.ledger.storage.memory import MemoryStore

_HEADER = b"kind,debit_account,credit_account,amount_minor,metadata,reference\n"
_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
_names = st.sampled_from(
    [
        *("kind", "debit_account", "credit_account", "amount_minor", "asset", "reference"),
        *("metadata", "entries", "position", "parent", "account", "address", "status", "hold"),
        *("idempotency_key", "expires_at", "account_class", "final", "override_limits"),
    ]
)
_kinds = st.sampled_from(
    [
        *("transfer", "transaction", "hold", "capture", "release", "expiry", "reversal"),
        *("open_account", "update_account", "batch", "refusal", "none"),
    ]
)
_good = {"debit_account": "cash", "credit_account": "wallets:a", "amount_minor": "5"}
_entry = {"account": "cash", "direction": "debit", "amount_minor": 1, "effect": "post"}
_objects = st.one_of(
    st.dictionaries(_names, _values, max_size=6),
    st.builds(lambda more: {**_good, **more}, st.dictionaries(_names, _values, max_size=1)),
    st.builds(
        lambda kind, position, parent, entries, more: {
            "kind": kind,
            "position": position,
            "parent": parent,
            "entries": entries,
            **more,
        },
        _kinds,
        st.integers(-1, 30),
        st.integers(-1, 30) | _values,
        st.lists(st.just(_entry) | st.just({**_entry, "direction": "credit"}) | _values),
        st.dictionaries(_names, _values, max_size=2),
    ),
)
_json_lines = st.lists(_objects.map(lambda held: json.dumps(held).encode()) | st.binary())
_cells = st.text('ab",\n\r;05:', max_size=6).map(str.encode) | st.sampled_from(
    [b"cash", b"wallets:a", b"5", b"transfer", b""]
)
_csv_lines = st.lists(st.lists(_cells, max_size=7).map(b",".join) | st.binary())


async def _run(content: bytes, *, csv: bool) -> None:
    clock = VirtualClock()
    async with in_process(MemoryStore(clock), clock) as local:
        await open_usual(local)
        before = (await local.trial_balance()).position
        try:
            summary, report = await import_bytes(local, content, csv=csv)
        except HeaderError:
            assert csv
            summary, report = None, []
        after = (await local.records(limit=1_000)).items[before:]
        effects = [record for record in after if record.refusal is None]
        assert len(effects) == (0 if summary is None else summary.accepted)
        assert all(bad.reason and bad.number >= 1 for bad in report)
        if not csv and summary is not None:
            text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "backslashreplace")
            assert summary.lines == sum(1 for line in text.split("\n") if line.strip())
        assert (await local.trial_balance()).balanced
        assert (await local.verify()).holds


@given(_json_lines)
@example([b'{"position":1,"kind":"hold","entries":[],"expires_at":"2020-01-01"}'])
@example([b'{"position":9,"kind":"release","parent":9,"entries":[{"effect":"release"}]}'])
def test_any_json_lines(content: list[bytes]) -> None:
    """Whatever the lines are."""
    anyio.run(lambda: _run(b"\n".join(content), csv=False))


@given(_csv_lines, st.just(_HEADER) | st.binary(max_size=20))
def test_any_csv(content: list[bytes], header: bytes) -> None:
    """Whatever the rows are."""
    anyio.run(lambda: _run(header + b"\n".join(content), csv=True))
