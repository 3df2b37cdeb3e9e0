"""A process that asks a hostile primary, and tells what that did to it.

`python -m tests.support.victim <primary>` reads the name of a version and then of a fault from each
line, asks once, and prints as JSON the error's code and by how many bytes its memory peaked higher.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from tests.support.engine import RunningSandbox
from tests.support.routing import REQUEST, soon

from tandem.platform.secrets import live
from tandem.routing.domain.errors import RoutingError
from tandem.routing.providers.bikemap_v1 import BikemapV1
from tandem.routing.providers.bikemap_v2 import BikemapV2
from tandem.routing.providers.port import Provider

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


def _bytes(name: str) -> int:
    """Read a line such as `VmHWM:   123 kB` of what the kernel knows of this process."""
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return int(lines[name].split()[0]) * 1024


async def _suffer(provider: Provider) -> tuple[str, int]:
    """Ask once; returns the error's code, and what memory peaked above where it was."""
    await asyncio.to_thread(_CLEAR.write_text, _RESET_PEAK)
    before = _bytes("VmRSS")
    try:
        await provider.call(REQUEST, soon())
        code = "answered"
    except RoutingError as error:
        code = error.code
    return code, _bytes("VmHWM") - before


async def main(primary_url: str) -> None:
    """Ask whenever told to."""
    sandbox = RunningSandbox(primary_url, pid=0)
    async with (
        BikemapV2(
            sandbox.url, sandbox.client_id, live(sandbox.client_secret), time.monotonic
        ) as version_2,
        BikemapV1(sandbox.url, live(sandbox.client_secret)) as version_1,
    ):
        providers: dict[str, Provider] = {"v1": version_1, "v2": version_2}
        for provider in providers.values():
            await provider.call(REQUEST, soon())  # what one needs in good times is no growth
        print("ready", flush=True)  # noqa: T201 - its answer
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(await _suffer(providers[line.strip()])), flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
