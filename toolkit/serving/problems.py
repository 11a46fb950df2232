"""Whatever can go wrong with a request, as one table; every front says it in its own envelope."""

from enum import Enum
from typing import Any

from toolkit.errors import (
    FetchError,
    ImageError,
    RecordExistsError,
    StorageError,
    ToolkitError,
    VectorIndexError,
)


class Kind(Enum):
    """What went wrong: its number in PAI's envelope, and the status of HTTP in ``/v1``.

    No list of PAI's numbers is public; these are ours, in its groups: 1 the request, 2 the backend,
    3 the database, 4 the record, 5 the picture, 6 the service, 9 a bug.
    """

    BAD_JSON = 1001, 400
    UNKNOWN_FUNCTION = 1002, 404
    MISSING_PARAMETER = 1003, 422
    WRONG_VALUE = 1004, 422
    WRONG_CONTENT_TYPE = 1005, 415
    TOO_LARGE = 1006, 413
    UNAUTHORISED = 1007, 401
    FORBIDDEN = 1008, 403
    NOT_FOUND = 1009, 404
    WRONG_METHOD = 1010, 405
    NOT_INITIALISED = 2001, 409
    NO_BACKEND = 2002, 503
    NO_DATABASE = 3001, 404
    DATABASE_EXISTS = 3002, 409
    QUOTA = 3003, 409
    DATABASE_DAMAGED = 3004, 503
    NO_JOB = 3005, 404
    NO_RECORD = 4001, 404
    RECORD_EXISTS = 4002, 409
    BAD_PICTURE = 5001, 422
    NOT_FETCHED = 5002, 422
    WRONG_DIMENSION = 5003, 409
    TIMED_OUT = 6001, 408
    TOO_MANY_REQUESTS = 6002, 429
    BUSY = 6003, 503
    DISK_FULL = 6004, 507
    BUG = 9000, 500

    @property
    def code(self) -> int:
        """The number in envelopes."""
        return self.value[0]

    @property
    def status(self) -> int:
        """The status of HTTP."""
        return self.value[1]


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it so
    """A request that is not done.

    Args:
        kind: what went wrong.
        message: what happened, what was expected, and what to do; shown to the client.
        retry_after: seconds after which another try may succeed.
    """

    def __init__(self, kind: Kind, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.kind, self.message, self.retry_after = kind, message, retry_after

    def to_json(self) -> dict[str, Any]:
        """Returns the problem as RFC 9457 has it; ``code`` and ``kind`` are ours."""
        return {
            "type": "about:blank",
            "title": self.kind.name.replace("_", " ").capitalize(),
            "status": self.kind.status,
            "detail": self.message,
            "kind": self.kind.name.lower(),
            "code": self.kind.code,
        }


_OF_ERRORS = (
    (ImageError, Kind.BAD_PICTURE),
    (FetchError, Kind.NOT_FETCHED),
    (StorageError, Kind.DISK_FULL),
    (RecordExistsError, Kind.RECORD_EXISTS),
    (VectorIndexError, Kind.WRONG_VALUE),
    (ToolkitError, Kind.WRONG_VALUE),
)


def problem_of(error: BaseException) -> Problem:
    """Returns what a client is told of an error; of a bug only that there is one."""
    if isinstance(error, Problem):
        return error
    for of_error, kind in _OF_ERRORS:
        if isinstance(error, of_error):
            return Problem(kind, str(error))
    return Problem(Kind.BUG, "The service has a bug here; its log has the traceback.")
