"""Errors as the API answers them: ``application/problem+json`` (section 2 of the reference).

Belongs here: the exception that an endpoint raises and the answer that becomes of it.
"""

from typing import Literal

from starlette.requests import Request
from starlette.responses import JSONResponse

ProblemType = Literal[
    "AUTHENTICATION",
    "AUTHORIZATION",
    "RATE_LIMIT",
    "NOT_FOUND",
    "CONFLICT",
    "SCHEMA_VALIDATION",
    "BUSINESS_VALIDATION",
    "INTERNAL",
    "BAD_GATEWAY",
    "TIMEOUT",
]


class ProblemError(Exception):
    """A request that the sandbox refuses.

    Attributes:
        status: The HTTP status.
        kind: The contract's ``type``.
        title: A few words.
        detail: One sentence for whoever reads the answer.
        pointer: Which part of the request is at fault, such as ``/query/perPage``, if one is.
    """

    def __init__(
        self, status: int, kind: ProblemType, title: str, detail: str, pointer: str | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
        self.pointer = pointer

    def response(self) -> JSONResponse:
        """The problem as an answer."""
        content: dict[str, object] = {
            "title": self.title,
            "detail": self.detail,
            "type": self.kind,
        }
        if self.pointer is not None:
            content["errors"] = [
                {"detail": self.detail, "pointer": self.pointer, "type": self.kind}
            ]
        return JSONResponse(content, self.status, media_type="application/problem+json")


def invalid(pointer: str, detail: str) -> ProblemError:
    """A part of the request that is not as the contract wants it: 400."""
    return ProblemError(400, "SCHEMA_VALIDATION", "Bad Request", detail, pointer)


def unauthorized(detail: str) -> ProblemError:
    """Credentials that are missing, wrong or expired: 401."""
    return ProblemError(401, "AUTHENTICATION", "Unauthorized", detail)


def forbidden(scope: str) -> ProblemError:
    """Good credentials that may not do this: 403."""
    return ProblemError(
        403, "AUTHORIZATION", "Forbidden", f"The API key does not have the scope {scope}."
    )


def not_found(path: str) -> ProblemError:
    """Nothing is there: 404."""
    return ProblemError(404, "NOT_FOUND", "Not Found", f"There is nothing at {path}.")


def conflict(detail: str) -> ProblemError:
    """What is wanted is there already: 409."""
    return ProblemError(409, "CONFLICT", "Conflict", detail)


def too_many_requests() -> ProblemError:
    """The limit is used up: 429, without a ``Retry-After``, which the contract does not have."""
    return ProblemError(
        429, "RATE_LIMIT", "Too Many Requests", "The rate limit is exceeded; try again later."
    )


async def answer_problem(_request: Request, error: Exception) -> JSONResponse:
    """Starlette's handler for a problem that an endpoint raised."""
    if not isinstance(error, ProblemError):
        raise error
    return error.response()


async def answer_not_found(request: Request, _error: Exception) -> JSONResponse:
    """Starlette's handler for a path or method that does not exist: both are 404 here."""
    return not_found(request.url.path).response()
