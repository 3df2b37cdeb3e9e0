"""Logs: one JSON object a line, with the request's id and without secrets."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from tandem.platform.config import LogFormat, LogLevel
from tandem.platform.telemetry import configure_logging, redact_text, tracer


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the log goes; the process's own set-up comes back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()
    configure_logging(LogLevel.INFO, LogFormat.JSON, stream)
    yield stream
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_our_lines_and_the_libraries_look_alike(stream: io.StringIO) -> None:
    """Both carry time, level, logger and the context's request id; debug is left out."""
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger("ours").info("hello", count=1)
        logging.getLogger("theirs").warning("hello %s", "you")
        structlog.get_logger("ours").debug("unseen")
    ours, theirs = _lines(stream)
    assert (ours["event"], ours["count"], ours["request_id"]) == ("hello", 1, "r1")
    assert (theirs["event"], theirs["level"], theirs["request_id"]) == (
        "hello you",
        "warning",
        "r1",
    )
    assert ours["timestamp"].endswith("Z")


def _fail() -> None:
    raise RuntimeError("cannot connect to postgresql://me:hunter2@db/x")


def test_exceptions_are_told_in_one_line_without_secrets(stream: io.StringIO) -> None:
    """A traceback is a field of the line, and secrets in its text are taken out."""
    try:
        _fail()
    except RuntimeError:
        structlog.get_logger("ours").exception("failed", token="hunter2", nested={"secret": "x"})  # noqa: S106 - a decoy
    (line,) = _lines(stream)
    assert "RuntimeError" in line["exception"]
    assert "hunter2" not in stream.getvalue()
    assert (line["token"], line["nested"]) == ("[redacted]", {"secret": "[redacted]"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("key tandem_0123abcd_AbC-_9 used", "key tandem_0123abcd_[redacted] used"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [redacted]"),
        ("host=x password=hunter2 port=1", "host=x password=[redacted] port=1"),
        ("no secret: a@b, http://h:80/p", "no secret: a@b, http://h:80/p"),
    ],
)
def test_secrets_are_known_by_their_look(text: str, expected: str) -> None:
    """Tokens, passwords in URLs and credentials in headers are replaced; the rest stays."""
    assert redact_text(text) == expected


def test_tracing_works_without_an_sdk() -> None:
    """A span without a provider costs nothing and breaks nothing."""
    with tracer("probe").start_as_current_span("step") as span:
        assert not span.is_recording()
