"""Logs: structured, to standard error; never a message's content, never a secret.

What libraries log goes the same way, at INFO and above whatever LOG_LEVEL says: at DEBUG discord.py logs every event
that comes in, openai every prompt that goes out. Tracebacks show code, never the values of variables.
"""

import logging
import re
import sys
from collections.abc import Sequence

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

NAMES: Sequence[Processor] = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def configure(level: str, secret: re.Pattern[str] | None = None) -> None:
    """Send logs of this level and above to standard error: words on a terminal, JSON elsewhere.

    secret: what is left out wherever it occurs, except for the pattern's first group.
    """
    number = logging.getLevelNamesMapping()[level]
    hiding = [] if secret is None else [_without(secret)]
    written: list[Processor] = [structlog.processors.format_exc_info, *hiding, _renderer()]
    structlog.configure(
        processors=[*NAMES, *written],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*NAMES, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *written],
        )
    )
    handler.setLevel(max(number, logging.INFO))  # also for loggers that somebody sets to DEBUG
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # it has a line for every call of a model; so has the turn
    logging.basicConfig(level=max(number, logging.INFO), handlers=[handler], force=True)


def _renderer() -> Processor:
    if not sys.stderr.isatty():
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


def _without(secret: re.Pattern[str]) -> Processor:
    def leave_out(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        return {name: secret.sub(r"\1...", value) if isinstance(value, str) else value for name, value in event.items()}

    return leave_out
