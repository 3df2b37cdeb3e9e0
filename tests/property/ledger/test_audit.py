"""Nothing of a file can be changed, and the short way finds what the long one does."""

import asyncio
import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.bundles import LEDGER, usual_bundle
from tests.support.clock import VirtualClock
from tests.support.doors import SIGNER

from tandem.ledger.audit.bundle import audit_bundle
from tandem.ledger.audit.log import Columns, LogWalk
from tandem.ledger.core.proofs import ProofError

_KEY = str(SIGNER.verifier_key(LEDGER))


@pytest.fixture(scope="module")
def bundle() -> bytes:
    """A bundle with a record of every common kind, longer than a tile."""
    return asyncio.run(usual_bundle(VirtualClock()))


def _audit(bundle: bytes) -> tuple[str, ...]:
    return audit_bundle(io.BytesIO(bundle), _KEY).faults


def _lines(bundle: bytes) -> list[bytes]:
    return bundle.splitlines(keepends=True)


def test_what_is_no_bundle_is_said(bundle: bytes) -> None:
    """Before anything of it is read as records."""
    for wrong, said in (
        (b"", "no bundle"),
        (b"[1]\n", "no bundle"),
        (b"\xff\n", "no bundle"),
        (b"[" * 100_000, "no bundle"),
        (bundle.replace(b'"tandem_log":1', b'"tandem_log":2', 1), "version"),
        (b'{"tandem_log":1,"checkpoint":7}\n', "version"),
        (b'{"tandem_log":1,"checkpoint":"x"}\n', "note"),
        (bundle.replace(b"audited\\n", b"another\\n", 1), "signature"),
    ):
        with pytest.raises(ProofError, match=said):
            _audit(wrong)
    with pytest.raises(ProofError, match="verifier key"):
        audit_bundle(io.BytesIO(bundle), "nobody")


def test_a_bundle_that_is_cut_or_goes_on_is_broken(bundle: bytes) -> None:
    """The checkpoint says how many records there are."""
    size = len(_lines(bundle)) - 1
    assert _audit(bundle) == ()
    assert _audit(bundle.removesuffix(b"\n")) == ()
    cut = b"".join(_lines(bundle)[:-3])
    assert f"checkpoint: it signed {size} records, the log has {size - 3}" in _audit(cut)
    longer = _audit(bundle + _lines(bundle)[-1])
    assert longer == (f"position {size + 1}: it comes after all that the checkpoint signed",)


@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_no_byte_of_a_bundle_can_be_changed(bundle: bytes, data: st.DataObject) -> None:
    """Whatever byte becomes whatever other one: the audit never passes, and never crashes."""
    start = bundle.index(b"\n") + 1
    at = data.draw(st.integers(start, len(bundle) - 2))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != bundle[at]))
    assert _audit(bundle[:at] + bytes([byte]) + bundle[at + 1 :])


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_no_record_of_a_bundle_can_be_moved(bundle: bytes, data: st.DataObject) -> None:
    """Swapped, left out or put in twice; the first fault is no later than they."""
    header, *lines = _lines(bundle)
    one, other = sorted(data.draw(st.sets(st.integers(0, len(lines) - 1), min_size=2, max_size=2)))
    match data.draw(st.sampled_from(["swap", "drop", "double"])):
        case "swap":
            lines[one], lines[other] = lines[other], lines[one]
        case "drop":
            del lines[one]
        case "double":
            lines.insert(other, lines[one])
    faults = _audit(header + b"".join(lines))
    named = re.match(r"position (\d+)", faults[0])
    assert named is None or int(named[1]) <= other + 2


class _GeneralWalk(LogWalk):
    """A walk without the short way."""

    def _take_plain(self, body: str) -> Columns | None:  # noqa: ARG002 - whatever it is
        return None


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_the_short_way_is_the_general_way(bundle: bytes, data: st.DataObject) -> None:
    """Over a sound log and over a tampered one: the same faults, totals and digests."""
    texts = [line.decode().rstrip("\n") for line in _lines(bundle)[1:]]
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(texts) - 1))
        text = texts[place]
        at = data.draw(st.integers(0, len(text) - 1))
        texts[place] = (
            text[:at] + data.draw(st.sampled_from('0123456789a"{}[],:-. ')) + text[at + 1 :]
        )
    walks = LogWalk({}, "salt"), _GeneralWalk({}, "salt")
    said = [[walk.take(text, place) for place, text in enumerate(texts, 1)] for walk in walks]
    assert said[0] == said[1]
    for walk in walks:
        walk.finish()
    short, general = (
        (
            tuple(walk.faults),
            walk.tree.root(),
            walk.entries,
            {
                address: (books.balance, books.entries, books.displaced)
                for address, books in walk.books.items()
            },
        )
        for walk in walks
    )
    assert short == general


def test_most_transfers_go_the_short_way(bundle: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The property above would hold as well if nothing did."""
    taken = 0
    way = LogWalk._take_plain

    def counted(walk: LogWalk, body: str) -> Columns | None:
        nonlocal taken
        said = way(walk, body)
        taken += said is not None
        return said

    monkeypatch.setattr(LogWalk, "_take_plain", counted)
    assert _audit(bundle) == ()
    assert taken > 200


def test_a_long_line_is_no_record(bundle: bytes) -> None:
    """What has no end is not read into memory as a whole."""
    header, *lines = _lines(bundle)
    faults = _audit(header + b"x" * (9 * 1024 * 1024) + b"\n" + b"".join(lines[1:]))
    assert faults[0].startswith("position 1: its bytes are no record")


@pytest.mark.parametrize("wrong", ['{"shift":late"}', '{"shift":5}', '{"shift": "late"}', "{}"])
def test_metadata_are_read_with_care(bundle: bytes, wrong: str) -> None:
    """They are looked at by the short way too, which crashes at nothing."""
    faults = _audit(bundle.replace(b'{"shift":"late"}', wrong.encode()))
    assert any("is no record" in fault or "are no record" in fault for fault in faults)
