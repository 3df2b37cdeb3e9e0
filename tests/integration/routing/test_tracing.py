"""What a trace shows of a question: who answered, after which attempts."""

import pytest
from opentelemetry.trace import SpanKind, StatusCode
from tests.support.fault_server import json_reply
from tests.support.routing import (
    REQUEST,
    always,
    bikemap,
    compute_answer,
    gateway_on,
    problem,
    soon,
)
from tests.support.spans import Spans

from tandem.routing.domain.errors import NoRoute

pytestmark = pytest.mark.anyio


async def test_an_answer_after_a_failure(spans: Spans) -> None:
    """Each attempt is a span under the question's, with its outcome."""
    replies = iter([json_reply(503, {}), json_reply(200, compute_answer())])
    async with (
        bikemap(lambda _seen: next(replies)) as primary,
        gateway_on(primary.url, None) as gateway,
    ):
        await gateway.ask(REQUEST, soon())
    (asked,) = spans.ended("routing.ask")
    failed, answered = spans.ended("routing.attempt")
    assert asked.attributes is not None
    assert asked.attributes["tandem.routing.provider"] == "bikemap"
    assert asked.attributes["tandem.routing.degraded"] is False
    assert asked.status.status_code is StatusCode.UNSET
    for attempt in (failed, answered):
        assert attempt.kind is SpanKind.CLIENT
        assert attempt.context.trace_id == asked.context.trace_id
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.attributes is not None
    assert failed.attributes["error.type"] == "overloaded"
    assert answered.status.status_code is StatusCode.UNSET


async def test_no_route_is_no_failure(spans: Spans) -> None:
    """It has its code, and no status of an error; no exception is recorded."""
    async with (
        bikemap(always(problem(422, "route.no_path"))) as primary,
        gateway_on(primary.url, None) as gateway,
    ):
        with pytest.raises(NoRoute):
            await gateway.ask(REQUEST, soon())
    for span in (*spans.ended("routing.ask"), *spans.ended("routing.attempt")):
        assert span.attributes is not None
        assert span.attributes["error.type"] == "no_route"
        assert span.status.status_code is StatusCode.UNSET
        assert span.events == ()
