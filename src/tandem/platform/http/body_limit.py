"""A bound on request bodies, counted in bytes that really arrive."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tandem.platform.http.problems import HttpProblem


class BodyLimit:
    """Answers 413 to a body past `bytes_max`: at once where it is announced, else when it is."""

    def __init__(self, app: ASGIApp, bytes_max: int) -> None:
        self.app = app
        self.bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body counted."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if _announced_bytes(scope) > self.bytes_max:
            await self._discard(receive)
            await self._refusal().response()(scope, receive, send)
            return
        received_bytes = 0

        async def count() -> Message:
            nonlocal received_bytes
            message = await receive()
            if message["type"] == "http.request":
                received_bytes += len(message.get("body", b""))
                if received_bytes > self.bytes_max:
                    # Raised inside the application, whose handlers answer it.
                    raise self._refusal()
            return message

        await self.app(scope, count, send)

    async def _discard(self, receive: Receive) -> None:
        """Read on, within bounds: who is cut off while still sending never sees the answer."""
        discarded_bytes = 0
        while discarded_bytes <= self.bytes_max:
            message = await receive()
            discarded_bytes += len(message.get("body", b""))
            if not message.get("more_body"):
                return

    def _refusal(self) -> HttpProblem:
        return HttpProblem(
            413,
            "too_large",
            "The request body is too large",
            f"A body may have {self.bytes_max} bytes",
            headers={"Connection": "close"},
            bytes_max=self.bytes_max,
        )


def _announced_bytes(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0
