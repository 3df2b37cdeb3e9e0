"""One answer for a store that cannot be read, in process as over HTTP: `unavailable`."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused
from tandem.ledger.storage.port import StorageError


def reachable[**P, R](
    read: Callable[P, Coroutine[Any, Any, R]],
) -> Callable[P, Coroutine[Any, Any, R]]:
    """Refuse `unavailable` where the store cannot be read."""

    @wraps(read)
    async def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await read(*args, **kwargs)
        except StorageError as error:
            raise Refused(Refusal(RefusalCode.UNAVAILABLE, str(error))) from error

    return guarded
