"""One line per record: JSON for programs, or text for people. Only this module sets up logging, in `set_up`."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal, TextIO

from service.monitoring.request_id import request_id

LogFormat = Literal["text", "json"]

FIELDS = ("method", "route", "status", "ms", "key")
"""Additional fields of a record about a request; never a body, a query, a header or a key itself."""


class JsonLines(logging.Formatter):
    """A record as one JSON object: time, level, logger, message, request_id, and those of FIELDS that it has."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        entry = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id.get() or None,
        }
        entry |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry)


class TextLines(logging.Formatter):
    """A record as text for a terminal; only a traceback takes more than a line."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        about = f" [{request_id.get()}]" if request_id.get() else ""
        message = record.getMessage()
        if not message.isprintable():
            message = "".join(c if c.isprintable() else "?" for c in message)
        line = f"{_time(record)} {record.levelname:<7} {message}{about}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def set_up(form: LogFormat, stream: TextIO = sys.stdout) -> None:
    """Write the log of this program and its web server to a stream; of libraries only warnings and above."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    root = logging.getLogger()
    root.handlers, root.level = [handler], logging.WARNING
    for name in ("raincell", "uvicorn"):
        logging.getLogger(name).setLevel(logging.INFO)
    _leave_out_what_no_line_tells()


def _leave_out_what_no_line_tells() -> None:
    """Do not collect the source of each record: see "Optimization" in Python's logging HOWTO."""
    setattr(logging, "_srcfile", None)  # noqa: B010 - the name that the HOWTO gives, and typeshed has not
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
