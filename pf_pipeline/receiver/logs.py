"""Structured logs: one JSON object a line, for what a person would want to know.

No delivery has a line of its own: a thousand a second would drown the rest, and whatever says
something about one would say something about a client.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

NAME = "pf_pipeline.receiver"
log = logging.getLogger(NAME)


class JsonLines(logging.Formatter):
    """``time``, ``level`` and ``event``, then the fields that were given with it."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a line; of an error, its kind alone, because its words may name a client."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage().strip(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line, ensure_ascii=False)


def write_logs(stream: TextIO = sys.stderr) -> None:
    """Let the receiver and its web server write to a stream, and nobody else."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    for name, level in ((NAME, logging.INFO), ("uvicorn.error", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False


def fields(**values: object) -> dict[str, dict[str, object]]:
    """The ``extra`` of a log call."""
    return {"fields": values}
