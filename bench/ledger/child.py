"""Processes that work on demand: a line of JSON asks for work, a line of JSON answers."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

_READY: Final = {"ready": True}
_LINE_BYTES_MAX: Final = 1024 * 1024


class Child:
    """The asking side."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def ask(self, **work: Any) -> dict[str, Any]:
        """Let it work; return its answer."""
        assert self._process.stdin is not None  # noqa: S101 - started with pipes
        self._process.stdin.write(json.dumps(work).encode() + b"\n")
        await self._process.stdin.drain()
        return await self.answer()

    async def answer(self) -> dict[str, Any]:
        """Wait for a line of it."""
        assert self._process.stdout is not None  # noqa: S101 - started with pipes
        line = await self._process.stdout.readline()
        if not line:
            raise SystemExit("a process of the bench ended early")
        answer: dict[str, Any] = json.loads(line)
        return answer


@asynccontextmanager
async def started(
    module: str, *arguments: str, secrets: dict[str, str] | None = None
) -> AsyncIterator[Child]:
    """Run a module of the bench beside us; wait until it is ready. It ends with its input.

    `secrets` are the first line of its input: arguments would be seen by everybody.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LINE_BYTES_MAX,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        child = Child(process)
        await (child.answer() if secrets is None else child.ask(**secrets))
        yield child
        assert process.stdin is not None  # noqa: S101 - started with pipes
        process.stdin.close()
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def serve(work: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]) -> None:
    """Say that we are ready; then work on each line of our input, until it ends."""
    _answer(_READY)
    while line := await asyncio.to_thread(sys.stdin.readline):
        _answer(await work(json.loads(line)))


def _answer(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
