"""Files as commands take them: standard input and output, and writing whole or not at all."""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

STANDARD: Final = "-"


@contextmanager
def open_input(name: str) -> Iterator[tuple[BinaryIO, int | None]]:
    """Open a file, or standard input (`-`); gives its size in bytes too, where it is known."""
    if name == STANDARD:
        yield sys.stdin.buffer, None
        return
    with Path(name).open("rb") as file:
        yield file, os.fstat(file.fileno()).st_size


@contextmanager
def seekable(file: BinaryIO) -> Iterator[BinaryIO]:
    """Give a file that can be read again: itself, or a copy on disk of what comes only once."""
    if file.seekable():
        yield file
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy)
        copy.seek(0)
        yield copy


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a file whole or not at all: under another name first, durable, then renamed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


@contextmanager
def open_output(name: str) -> Iterator[BinaryIO]:
    """Open what an export writes: standard output (`-`), or a file that is replaced as a whole."""
    if name == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with replacing(Path(name)) as file:
        yield file
