"""Log lines as JSON objects, for whatever gathers them: no pictures, keys or tokens are in any."""

import json
import logging
import time

_STANDARD = set(vars(logging.makeLogRecord({})))


class JsonLines(logging.Formatter):
    """One object a line: time (UTC), level, message, and what the caller put beside it."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_as_json() -> None:
    """Makes every handler of the toolkit write JSON lines, and uvicorn's log go with them."""
    handlers = logging.getLogger("toolkit").handlers
    for handler in handlers:
        handler.setFormatter(JsonLines())
    uvicorn = logging.getLogger("uvicorn")
    uvicorn.handlers, uvicorn.propagate = list(handlers), False
    uvicorn.setLevel(logging.WARNING)
