"""Logs: structured, to standard error; never a message's content, never a secret.

What libraries log goes the same way, at INFO and above whatever LOG_LEVEL says: at DEBUG discord.py logs every event
that comes in, openai every prompt that goes out. Tracebacks show code, never the values of variables.
"""

import logging
import sys
from collections.abc import Sequence

import structlog
from structlog.typing import Processor

NAMES: Sequence[Processor] = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def configure(level: str) -> None:
    """Send logs of this level and above to standard error: words on a terminal, JSON elsewhere."""
    number = logging.getLevelNamesMapping()[level]
    written = (structlog.processors.format_exc_info, _renderer())
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
    logging.basicConfig(level=max(number, logging.INFO), handlers=[handler], force=True)


def _renderer() -> Processor:
    if not sys.stderr.isatty():
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
