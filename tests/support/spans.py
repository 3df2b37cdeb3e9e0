"""Spans of the process, as an exporter would get them."""

from collections.abc import Iterator
from functools import cache

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


@cache
def _exporter() -> InMemorySpanExporter:
    # A process has one provider for good, so that all tests of it share this one.
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


class Spans:
    """What has ended since the test began."""

    def ended(self, name: str | None = None) -> list[ReadableSpan]:
        """Return the spans, of one name or of all, in the order of their ends."""
        spans = _exporter().get_finished_spans()
        return [span for span in spans if name is None or span.name == name]

    def text(self) -> str:
        """Write all of them down, with everything that an exporter could send."""
        return "\n".join(span.to_json() for span in self.ended())


@pytest.fixture
def spans() -> Iterator[Spans]:
    """Collect the spans of a test."""
    _exporter().clear()
    yield Spans()
    _exporter().clear()
