"""
One JSON object a line on standard output, with the correlation id of what is being handled.

Log no text of a citizen, no name, no address: log ids. The standard library's loggers (uvicorn, Faust, aiokafka) go
through the same renderer.
"""

import logging
import logging.config
import sys
from typing import Any

import orjson
import structlog

from services.common.kit.settings import LogSettings

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]
_LEVELS = {
    **dict.fromkeys(("faust", "mode", "httpx", "httpcore", "uvicorn.access", "pymongo", "asyncio"), "WARNING"),
    **dict.fromkeys(
        ("aiokafka", "kafka"), "CRITICAL"
    ),  # thousands of lines a second while no broker answers; we say it
    "mail": "CRITICAL",  # aiosmtpd: its lines hold addresses
}


def _dumps(event: object, **_: object) -> str:
    return orjson.dumps(event, default=repr).decode()


def logging_config(settings: LogSettings) -> dict[str, Any]:
    """
    The ``logging.config`` dictionary, for libraries (Faust, uvicorn) that insist on configuring logs themselves.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _SHARED,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.JSONRenderer(serializer=_dumps),
                ],
            }
        },
        "handlers": {"out": {"class": "logging.StreamHandler", "stream": sys.stdout, "formatter": "json"}},
        "root": {"level": settings.level, "handlers": ["out"]},
        "loggers": {name: {"level": level} for name, level in _LEVELS.items()},
    }


def to_standard_error() -> None:
    """
    For a command, whose standard output is its result: plain lines beside it.
    """
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))


def configure(settings: LogSettings, process: str) -> None:
    """
    Set logging up for this process. Call once, in ``__main__``.
    """
    logging.config.dictConfig(logging_config(settings))
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """
    A logger for one module.
    """
    return structlog.stdlib.get_logger(name)
