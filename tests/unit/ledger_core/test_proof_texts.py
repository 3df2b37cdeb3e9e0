"""What is said of notes, tiles and proofs that are none, word for word; and their exact edges."""

import base64
from collections.abc import Callable
from hashlib import sha256
from typing import Final

import pytest

from tandem.ledger.core.checkpoint import (
    NoteError,
    Signature,
    VerifierKey,
    format_note,
    origin_of,
    parse_checkpoint,
    parse_note,
    parse_verifier_key,
)
from tandem.ledger.core.limits import MAX_NOTE_CHARS, MAX_NOTE_SIGNATURES
from tandem.ledger.core.merkle import EMPTY_ROOT, leaf_hash, node_hash
from tandem.ledger.core.proofs import (
    Node,
    ProofError,
    TileNeed,
    check_consistency,
    check_inclusion,
    consistency_runs,
    inclusion_runs,
    root_of_inclusion,
    tiles_needed,
)
from tandem.ledger.core.tile_paths import (
    parse_tile_level,
    parse_tile_path,
    read_bundle,
    tile_path,
    write_bundle,
)

_KEY: Final = VerifierKey("log", bytes(range(32)))
_ID: Final = _KEY.key_id.hex()
_DASH: Final = "\N{EM DASH} "


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


_LINE: Final = f"{_DASH}a {_b64(b'abcde')}\n"
_ROOT: Final = _b64(bytes(32))
_TEXT_FORM: Final = "a note is a text, an empty line, and lines of signatures"
_SIGNED_FORM: Final = "a signature is a name, and base64 of a key's id and the signature"
_LINES_FORM: Final = "a checkpoint has an origin, a size and a root, a line each"
_KEY_FORM: Final = "a verifier key is written name+id+base64"


@pytest.mark.parametrize(("read", "said"), [
    (lambda: parse_verifier_key(f"+{_ID}+{_b64(bytes(33))}"), _KEY_FORM),
    (lambda: parse_verifier_key(f"a+{_ID.upper()}0+{_b64(bytes(33))}"), _KEY_FORM),
    (lambda: parse_verifier_key(f"log+{_ID}+?"), "the key is not base64"),
    (lambda: parse_verifier_key(f"log+{_ID}+AB=="), "the key is not written as base64 writes it"),
    (lambda: parse_verifier_key(f"log+{_ID}+{_b64(bytes(33))}"), "the key is not an Ed25519 key"),
    (lambda: parse_verifier_key(f"log+{_ID}+{_b64(bytes([1] * 32))}"),
     "the key is not an Ed25519 key"),
    (lambda: parse_verifier_key(f"log+{_ID}+{_b64(bytes([1] * 33))}"),
     "the key's id is not that of its name and bytes"),
    (lambda: parse_note("x" * (MAX_NOTE_CHARS + 1)), "a note has at most 65536 characters"),
    (lambda: parse_note("a\x1fb"), "a note has no control characters"),
    (lambda: parse_note(f"text\n{_LINE}"), _TEXT_FORM),
    (lambda: parse_note(f"\n\n{_LINE}"), _TEXT_FORM),
    (lambda: parse_note(f"text\n\n{_LINE[:-1]}"), _TEXT_FORM),
    (lambda: parse_note("text\n\n" + _LINE * (MAX_NOTE_SIGNATURES + 1)),
     "a note has at most 16 signatures"),
    (lambda: parse_note("text\n\n-- a YWJjZGU=\n"), "a line of a signature begins with a dash"),
    (lambda: parse_note(f"text\n\n{_DASH}a ?\n"), "a signature is not base64"),
    (lambda: parse_note(f"text\n\n{_DASH}a\n"), _SIGNED_FORM),
    (lambda: parse_note(f"text\n\n{_DASH}a+b {_b64(b'abcde')}\n"), _SIGNED_FORM),
    (lambda: parse_note(f"text\n\n{_DASH}a {_b64(b'abcd')}\n"), _SIGNED_FORM),
    (lambda: parse_checkpoint(f"o\n1\n{_ROOT}"), _LINES_FORM),
    (lambda: parse_checkpoint("o\n1\n"), _LINES_FORM),
    (lambda: parse_checkpoint(f"\n1\n{_ROOT}\n"), _LINES_FORM),
    (lambda: parse_checkpoint(f"o\n01\n{_ROOT}\n"), "the checkpoint's size is no number"),
    (lambda: parse_checkpoint("o\n1\n?\n"), "the root is not base64"),
    (lambda: parse_checkpoint(f"o\n1\n{_b64(bytes(31))}\n"),
     "the checkpoint's root is no SHA-256"),
])  # fmt: skip
def test_what_is_no_note_is_told_why(read: Callable[[], object], said: str) -> None:
    """Keys, notes and checkpoints."""
    with pytest.raises(NoteError) as error:
        read()
    assert str(error.value) == said


def test_the_last_note_that_is_read() -> None:
    """As many characters and signatures as there may be, and the shortest of them."""
    padded = "x" * (MAX_NOTE_CHARS - 2 - len(_LINE)) + f"\n\n{_LINE}"
    assert len(padded) == MAX_NOTE_CHARS
    assert parse_note(padded).signatures == (Signature("a", b"abcd", b"e"),)
    many = "text\n\nmore\n\n" + _LINE * MAX_NOTE_SIGNATURES
    note = parse_note(many)
    assert note.text == "text\n\nmore\n"
    assert len(note.signatures) == MAX_NOTE_SIGNATURES
    assert format_note(note) == many
    # Lines that extend a checkpoint say nothing to us.
    checkpoint = parse_checkpoint(f"o\n{10**18}\n{_ROOT}\nmore\nlines\n")
    assert checkpoint == ("o", 10**18, bytes(32))
    # A space is no control character, and a name ends at the first one.
    assert parse_note(f"a b\n\n{_LINE}").text == "a b\n"


def test_a_key_is_named_by_its_name_and_bytes() -> None:
    """Four bytes of SHA-256 over the name, a newline, the algorithm and the key."""
    expected = sha256(b"log\n\1" + bytes(range(32))).digest()[:4]
    assert _KEY.key_id == expected
    assert str(_KEY) == f"log+{expected.hex()}+{_b64(bytes([1, *range(32)]))}"
    assert parse_verifier_key(str(_KEY)) == _KEY
    plus = VerifierKey("log", b"\xfb" * 32)
    assert str(plus).count("+") > 2  # base64 has a plus of its own
    assert parse_verifier_key(str(plus)) == plus
    assert origin_of("main") == "tandem.ledger/main"


_GROUPS: Final = "a tile's number is in groups of three digits, as x001/234"
_ONE_FORM: Final = "a tile's path has one form, and a part of it 1 to 255 hashes"
_LEAVES: Final = [leaf_hash(bytes([number])) for number in range(3)]
_PAIR: Final = node_hash(*_LEAVES[:2])
_THREE: Final = node_hash(_PAIR, _LEAVES[2])
_PATH: Final = [_LEAVES[1], _LEAVES[2]]


@pytest.mark.parametrize(("read", "said"), [
    (lambda: parse_tile_path("1"), _GROUPS),
    (lambda: parse_tile_path("X001/000"), _GROUPS),
    (lambda: parse_tile_path("x000/001"), _ONE_FORM),
    (lambda: parse_tile_path("000.p/256"), _ONE_FORM),
    (lambda: parse_tile_path("000.p/257"), _ONE_FORM),
    (lambda: parse_tile_level("8"), "a tile level is 0 to 7"),
    (lambda: parse_tile_level(""), "a tile level is 0 to 7"),
    (lambda: parse_tile_level("X"), "a tile level is 0 to 7"),
    (lambda: parse_tile_level("07"), "a tile level is 0 to 7"),
    (lambda: write_bundle(["x" * 65_536]), "a record of the bundle has more than 65535 bytes"),
    (lambda: read_bundle(b"\0"), "the bundle is cut off"),
    (lambda: read_bundle(b"\0\2x"), "the bundle is cut off"),
    (lambda: inclusion_runs(3, 3), "a tree of 3 leaves has no leaf 3"),
    (lambda: inclusion_runs(-1, 3), "a tree of 3 leaves has no leaf -1"),
    (lambda: consistency_runs(4, 3), "a tree of 3 leaves extends none of 4"),
    (lambda: consistency_runs(-1, 3), "a tree of 3 leaves extends none of -1"),
    (lambda: root_of_inclusion(_LEAVES[0], 3, 3, _PATH), "a tree of 3 leaves has no leaf 3"),
    (lambda: root_of_inclusion(_LEAVES[0], 0, 3, _PATH[:1]), "the audit path is too short"),
    (lambda: root_of_inclusion(_LEAVES[0], 0, 3, [*_PATH, _PAIR]), "the audit path is too long"),
    (lambda: root_of_inclusion(b"", 0, 3, _PATH), "a hash has 32 bytes"),
    (lambda: root_of_inclusion(_LEAVES[0], 0, 3, [_PAIR, b"x" * 33]), "a hash has 32 bytes"),
    (lambda: check_consistency(4, _PAIR, 3, _THREE, []), "a tree of 3 leaves extends none of 4"),
    (lambda: check_consistency(3, _THREE, 5, _PAIR, []), "the consistency path is too short"),
    (lambda: check_consistency(2, _PAIR, 3, _THREE, []), "the consistency path is too short"),
    (lambda: check_consistency(2, _PAIR, 3, _THREE, [_LEAVES[2], _PAIR]),
     "the consistency path is too long"),
    (lambda: check_consistency(3, _THREE, 3, _THREE, [_PAIR]), "the consistency path is too long"),
    (lambda: check_consistency(0, EMPTY_ROOT, 3, _THREE, [_PAIR]),
     "the consistency path is too long"),
    (lambda: check_consistency(3, _THREE, 3, _PAIR, []), "one size, two roots"),
    (lambda: check_consistency(0, _PAIR, 3, _THREE, []),
     "the root of an empty tree is that of nothing"),
    (lambda: check_consistency(2, _THREE, 3, _THREE, [_LEAVES[2]]),
     "the consistency path does not lead to both roots"),
    (lambda: check_consistency(2, _PAIR, 3, _PAIR, [_LEAVES[2]]),
     "the consistency path does not lead to both roots"),
    (lambda: check_consistency(2, b"", 3, _THREE, [_LEAVES[2]]), "a hash has 32 bytes"),
    (lambda: check_consistency(2, _PAIR, 3, b"", [_LEAVES[2]]), "a hash has 32 bytes"),
    (lambda: check_consistency(2, _PAIR, 3, _THREE, [b""]), "a hash has 32 bytes"),
    (lambda: check_inclusion(_LEAVES[0], 0, 3, _PATH, _PAIR),
     "the audit path does not lead to the root"),
])  # fmt: skip
def test_what_is_no_proof_is_told_why(read: Callable[[], object], said: str) -> None:
    """Tiles, bundles, inclusion and consistency."""
    with pytest.raises(ProofError) as error:
        read()
    assert str(error.value) == said


def test_the_smallest_proofs() -> None:
    """Of trees of one to three leaves, by hand."""
    assert inclusion_runs(0, 1) == []
    assert inclusion_runs(0, 3) == [(Node(0, 1),), (Node(0, 2),)]
    assert inclusion_runs(2, 3) == [(Node(1, 0),)]
    assert consistency_runs(0, 3) == consistency_runs(3, 3) == []
    assert consistency_runs(1, 3) == [(Node(0, 1),), (Node(0, 2),)]
    assert consistency_runs(2, 3) == [(Node(0, 2),)]
    assert consistency_runs(3, 4) == [(Node(0, 2),), (Node(0, 3),), (Node(1, 0),)]
    assert root_of_inclusion(_LEAVES[0], 0, 1, []) == _LEAVES[0]
    assert root_of_inclusion(_LEAVES[0], 0, 3, _PATH) == _THREE
    assert root_of_inclusion(_LEAVES[2], 2, 3, [_PAIR]) == _THREE
    check_inclusion(_LEAVES[1], 1, 3, [_LEAVES[0], _LEAVES[2]], _THREE)
    check_consistency(2, _PAIR, 3, _THREE, [_LEAVES[2]])
    check_consistency(1, _LEAVES[0], 3, _THREE, _PATH)


def test_the_tiles_that_proofs_need() -> None:
    """Each as wide as it is in a tree of the size, at the level of the subtree."""
    assert tiles_needed([(Node(0, 255),)], 256) == {TileNeed(0, 0, 256)}
    assert tiles_needed([(Node(0, 256),)], 259) == {TileNeed(0, 1, 3)}
    assert tiles_needed([(Node(7, 1),)], 259) == {TileNeed(0, 0, 256)}
    assert tiles_needed([(Node(8, 0),)], 259) == {TileNeed(1, 0, 1)}
    assert tiles_needed([(Node(9, 1),)], 1_100) == {TileNeed(1, 0, 4)}
    assert tiles_needed([(Node(0, 256), Node(8, 0)), (Node(0, 258),)], 259) == {
        TileNeed(0, 1, 3), TileNeed(1, 0, 1),
    }  # fmt: skip


def test_the_edges_of_paths_and_bundles() -> None:
    """A whole tile has no width in its name; an empty record is two bytes of zero."""
    assert tile_path(0, 256) == "000"
    assert tile_path(0, 255) == "000.p/255"
    assert parse_tile_path("000.p/255") == (0, 255)
    assert parse_tile_path("x001/000") == (1_000, 256)
    assert parse_tile_path("x001/x234/067.p/5") == (1_234_067, 5)
    assert write_bundle(["", "ab", "\u00e9"]) == b"\0\0\0\2ab\0\2\xc3\xa9"
    assert read_bundle(b"\0\0\0\2ab") == (b"", b"ab")
    assert read_bundle(b"") == ()
