"""Spans of the gateway (OpenTelemetry): what a caller waited for, and each attempt within.

Exceptions are not recorded: their texts are for logs, which take secrets out. `error.type` is our
own code, as OpenTelemetry's conventions want one of few values there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry.trace import SpanKind, StatusCode

from tandem.platform.telemetry import tracer
from tandem.routing.domain.errors import ProviderError, RoutingError
from tandem.routing.domain.operation import Operation
from tandem.routing.domain.result import Result

_TRACER: Final = tracer("tandem.routing")
_PREFIX: Final = "tandem.routing"


class Asked:
    """The span of a question; tell it the answer."""

    def __init__(self, span: Any) -> None:
        self._span = span

    def answered(self, result: Result[Any]) -> None:
        """Note who answered, and how fresh that is."""
        self._span.set_attributes(
            {
                f"{_PREFIX}.provider": result.provider,
                f"{_PREFIX}.freshness": result.freshness.value,
                f"{_PREFIX}.degraded": result.degraded,
            }
        )


@contextmanager
def asking(operation: Operation) -> Iterator[Asked]:
    """Span a question; that there is no such answer is no failure."""
    with _span("routing.ask", SpanKind.INTERNAL, {f"{_PREFIX}.operation": operation.value}) as span:
        yield Asked(span)


@contextmanager
def attempting(provider: str, operation: Operation) -> Iterator[None]:
    """Span one call of a provider."""
    named = {f"{_PREFIX}.operation": operation.value, f"{_PREFIX}.provider": provider}
    with _span("routing.attempt", SpanKind.CLIENT, named):
        yield


@contextmanager
def _span(name: str, kind: SpanKind, attributes: dict[str, str]) -> Iterator[Any]:
    with _TRACER.start_as_current_span(
        name,
        kind=kind,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except RoutingError as error:
            span.set_attribute("error.type", error.code)
            if isinstance(error, ProviderError):
                span.set_status(StatusCode.ERROR)
            raise
