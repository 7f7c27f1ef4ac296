"""The tree of errors that Portcall raises on purpose; everything else is a bug.

`status` is what the API answers, `exit_code` what a command ends with: 2 wrong input or
settings, 3 something is away, 4 refused.

PortcallError
├── InvalidInputError        the caller's value is wrong                 422
├── NotFoundError            no such thing                               404
├── ConflictError            name in use, still referenced, wrong state  409
├── PreconditionError        If-Match names another version              412
├── AuthenticationError      missing or wrong credential                 401
├── ForbiddenError           understood, but not allowed here            403
├── TooLargeError            a body over its limit                       413
├── NotificationError        a notification that is not understood       422 (400: not JSON)
├── UnavailableError         something Portcall needs is away            503
│   ├── EngineUnavailableError   Temporal
│   ├── StoreUnavailableError    the policy database
│   │   └── UnreadableError          what it holds is another version's
│   └── OutOfResourcesError      files or memory of this process
└── ConfigurationError       settings or machine unfit; the CLI exits 2
"""

from collections.abc import Mapping, Sequence
from typing import Any


class PortcallError(Exception):
    """Base of all expected errors.

    `message` is one sentence for a person. `problem` holds extra members for the
    problem document (RFC 9457) that the API renders.
    """

    status = 500
    title = "Portcall failed"
    exit_code = 1

    def __init__(self, message: str, **problem: Any) -> None:
        super().__init__(message)
        self.message = message
        self.problem: Mapping[str, Any] = problem


class InvalidInputError(PortcallError):
    """A value that the caller gave is wrong; `errors` lists `{field, message}` pairs."""

    status = 422
    title = "Invalid input"
    exit_code = 2

    def __init__(self, message: str, errors: Sequence[Mapping[str, str]] = ()) -> None:
        super().__init__(message, errors=list(errors))


class NotFoundError(PortcallError):
    """No such source, target, policy, event, delivery or inbox entry."""

    status = 404
    title = "Not found"
    exit_code = 4


class ConflictError(PortcallError):
    """A name in use, something still referenced, or a state in which it cannot be done."""

    status = 409
    title = "Conflict"
    exit_code = 4


class PreconditionError(PortcallError):
    """`If-Match` names another version than the stored one (RFC 9110, section 13.1.1)."""

    status = 412
    title = "Changed in the meantime"
    exit_code = 4


class AuthenticationError(PortcallError):
    """The credential is missing or wrong."""

    status = 401
    title = "Not authenticated"
    exit_code = 4


class ForbiddenError(PortcallError):
    """The request is understood, but this installation does not allow it."""

    status = 403
    title = "Not allowed"
    exit_code = 4


class TooLargeError(PortcallError):
    """A body over the limit of its kind."""

    status = 413
    title = "Body too large"
    exit_code = 4


class NotificationError(PortcallError):
    """A notification, or one of its events, that is not understood.

    `reason` is a short code for metrics (`not_json`, `missing_field`, `wrong_type`, ...);
    `field` is the dotted path that is wrong, empty where the body as a whole is.
    """

    status = 422
    title = "Notification not understood"
    exit_code = 4

    def __init__(self, message: str, *, reason: str, field: str = "") -> None:
        super().__init__(message, reason=reason, field=field)
        self.reason = reason
        self.field = field
        if reason == "not_json":
            self.status = 400


class UnavailableError(PortcallError):
    """Something that Portcall needs is away; trying again later may work."""

    status = 503
    title = "Temporarily unavailable"
    exit_code = 3


class EngineUnavailableError(UnavailableError):
    """Temporal cannot be reached or does not answer in time."""


class StoreUnavailableError(UnavailableError):
    """The policy database cannot be reached or does not answer in time."""


class UnreadableError(StoreUnavailableError):
    """A stored spec that another version of Portcall has written and this one cannot read."""


class OutOfResourcesError(UnavailableError):
    """The system gives this process no more open files or memory; nobody else is to blame."""


class ConfigurationError(PortcallError):
    """Settings, or the machine, do not allow the command to start."""

    exit_code = 2
