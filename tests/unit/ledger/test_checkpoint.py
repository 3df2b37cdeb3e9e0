"""Checkpoints and keys as text: written one way, read strictly, and their signatures checked."""

import base64
import stat
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from tandem.ledger.core.checkpoint import (
    Checkpoint,
    Note,
    NoteError,
    Signature,
    format_checkpoint,
    format_note,
    parse_checkpoint,
    parse_note,
    parse_verifier_key,
)
from tandem.ledger.core.limits import MAX_NOTE_CHARS, MAX_NOTE_SIGNATURES
from tandem.ledger.signing import Signer, SigningKeyError, ensure_signer, open_checkpoint

_GOLDEN: Final = (Path(__file__).parent / "golden" / "checkpoint.txt").read_text("utf-8")
_SIGNER: Final = Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
_KEY: Final = _SIGNER.verifier_key("main")
_ROOT: Final = bytes(range(100, 132))
_NOTE: Final = _SIGNER.sign("main", 1_234, _ROOT)

# Vectors of other implementations of signed notes: a key's id, and a note with its key.
_ELSEWHERE: Final = (
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
)
_MESSAGE: Final = (
    "This is an example message.\n\n\N{EM DASH} example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)


def test_a_checkpoint_is_written_as_ever() -> None:
    """Key and note to the byte: Ed25519 signs one text one way."""
    assert f"{_KEY}\n{_NOTE}" == _GOLDEN
    assert open_checkpoint(_NOTE, _KEY) == Checkpoint("tandem.ledger/main", 1_234, _ROOT)


def test_keys_and_notes_of_others_are_read() -> None:
    """The form is the common one: ids are theirs, and a signature made elsewhere holds."""
    keys = [parse_verifier_key(text) for text in _ELSEWHERE]
    assert [str(key) for key in keys] == list(_ELSEWHERE)
    note = parse_note(_MESSAGE)
    (signature,) = note.signatures
    assert signature[:2] == (keys[1].name, keys[1].key_id)
    Ed25519PublicKey.from_public_bytes(keys[1].public_key).verify(
        signature.signature, note.text.encode()
    )
    assert format_note(note) == _MESSAGE


_NAMES: Final = st.text(
    st.characters(min_codepoint=33, exclude_categories=["Cs", "Z", "Cc"], exclude_characters="+"),
    min_size=1,
    max_size=20,
).filter(lambda name: not any(map(str.isspace, name)))


@given(
    _NAMES,
    st.integers(0, 10**18),
    st.binary(min_size=32, max_size=32),
    st.lists(
        st.builds(
            Signature, _NAMES, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=70)
        ),
        min_size=1,
        max_size=MAX_NOTE_SIGNATURES,
    ),
)
def test_what_is_written_is_read(
    origin: str, size: int, root: bytes, signatures: list[Signature]
) -> None:
    """A checkpoint under any names and several signatures comes back whole."""
    checkpoint = Checkpoint(origin, size, root)
    note = Note(format_checkpoint(checkpoint), tuple(signatures))
    assert parse_note(format_note(note)) == note
    assert parse_checkpoint(note.text) == checkpoint


@given(st.integers(0, len(_NOTE) - 1), st.characters(exclude_categories=["Cs"]))
def test_any_other_character_spoils_a_checkpoint(at: int, character: str) -> None:
    """Whatever is changed of the text or of the signature, the checkpoint does not open."""
    bent = _NOTE[:at] + character + _NOTE[at + 1 :]
    if bent != _NOTE:
        with pytest.raises(NoteError):
            open_checkpoint(bent, _KEY)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text breaks a reader."""
    for read in (parse_note, parse_checkpoint, parse_verifier_key):
        try:
            read(text)
        except NoteError:
            continue


def test_witnesses_may_sign_too() -> None:
    """Unknown signatures are passed over; one that names our key and does not hold is not."""
    note = parse_note(_NOTE)
    witness = Signature("witness.example", b"\1\2\3\4", bytes(72))
    assert open_checkpoint(format_note(Note(note.text, (witness, *note.signatures))), _KEY)
    forged = note.signatures[0]._replace(signature=bytes(64))
    with pytest.raises(NoteError, match="does not hold"):
        open_checkpoint(format_note(Note(note.text, (*note.signatures, forged))), _KEY)
    with pytest.raises(NoteError, match="is not signed by"):
        open_checkpoint(format_note(Note(note.text, (witness,))), _KEY)


def test_a_checkpoint_is_of_its_own_ledger() -> None:
    """Another ledger's key does not open it, and a key signs for no other origin."""
    with pytest.raises(NoteError, match="is not signed by"):
        open_checkpoint(_NOTE, _SIGNER.verifier_key("other"))
    text = format_checkpoint(Checkpoint("tandem.ledger/other", 1, _ROOT))
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    signature = Signature(_KEY.name, _KEY.key_id, key.sign(text.encode()))
    with pytest.raises(NoteError, match=r"is of tandem\.ledger/other"):
        open_checkpoint(format_note(Note(text, (signature,))), _KEY)


_B64: Final = base64.b64encode(_ROOT).decode()


@pytest.mark.parametrize("text", [
    "", "\n", "o\n1\n", f"o\n1\n{_B64}", f"\n1\n{_B64}\n", f"o\n01\n{_B64}\n", f"o\n-1\n{_B64}\n",
    f"o\n+1\n{_B64}\n", f"o\n1.0\n{_B64}\n", f"o\n\u0661\n{_B64}\n", f"o\n1\n{_B64[:-1]}\n",
    f"o\n1\n{_B64[:-4]}\n", f"o\n1\n{_B64}=\n", f"o\n1\n {_B64}\n", f"o\n1\n{_B64}\n\n",
    f"o\n1\n{_B64}\n\nx\n", f"o\n{10**19}\n{_B64}\n", f"o\n1\n{_B64[:-2]}B=\n",
])  # fmt: skip
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    """Sizes and roots are written one way."""
    with pytest.raises(NoteError):
        parse_checkpoint(text)


_LINE: Final = _NOTE.split("\n\n")[1]


@pytest.mark.parametrize("note", [
    "", "text\n", "text\n\n", f"text{_LINE}", f"\n\n{_LINE}", f"text\n\n{_LINE[:-1]}",
    f"text\n\n-- a {_B64}\n", f"text\n\n{_LINE}\n", f"te\txt\n\n{_LINE}", f"te\0xt\n\n{_LINE}",
    "text\n\n\N{EM DASH} a\n", "text\n\n\N{EM DASH} a b\n", "text\n\n\N{EM DASH} a AAAAAA==\n",
    f"text\n\n\N{EM DASH}  {_B64}\n", f"text\n\n\N{EM DASH} a+b {_B64}\n",
    f"text\n\n\N{EM DASH} a\u00a0b {_B64}\n", f"text\n\n{_LINE * (MAX_NOTE_SIGNATURES + 1)}",
    "x" * MAX_NOTE_CHARS + f"\n\n{_LINE}",
])  # fmt: skip
def test_what_is_no_note_is_refused(note: str) -> None:
    """A text, an empty line, and signatures, each a dash, a name and base64."""
    with pytest.raises(NoteError):
        parse_note(note)


@pytest.mark.parametrize("text", [
    "", "name", "name+00000000", str(_KEY)[:-1], str(_KEY) + "=", f"x{_KEY}", f" {_KEY}",
    str(_KEY).replace("+", "-", 1), str(_KEY).upper(),
    f"a+{_KEY.key_id.hex()}+{base64.b64encode(bytes(33)).decode()}",
    f"a+{_KEY.key_id.hex()}+{base64.b64encode(bytes([1]) + bytes(31)).decode()}",
])  # fmt: skip
def test_what_is_no_key_is_refused(text: str) -> None:
    """A key's id belongs to its name and bytes."""
    with pytest.raises(NoteError):
        parse_verifier_key(text)


def test_a_key_is_made_once_and_kept_to_oneself(tmp_path: Path) -> None:
    """The first start makes it, the next ones read it, and only its owner may."""
    path = tmp_path / "new" / "signing.key"
    first, second = ensure_signer(path), ensure_signer(path)
    assert first.verifier_key("main") == second.verifier_key("main")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["signing.key"]
    assert open_checkpoint(first.sign("main", 0, _ROOT), second.verifier_key("main")).size == 0
    path.chmod(0o640)
    with pytest.raises(SigningKeyError, match="read by others"):
        ensure_signer(path)


def test_a_key_that_is_none_is_said_to_be(tmp_path: Path) -> None:
    """Rubbish, a key of another sort, and a place that cannot be written."""
    path = tmp_path / "signing.key"
    other = generate_private_key(SECP256R1())
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content in (b"", b"rubbish", pem):
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(SigningKeyError):
            ensure_signer(path)
    with pytest.raises(SigningKeyError):
        ensure_signer(path / "below" / "signing.key")
