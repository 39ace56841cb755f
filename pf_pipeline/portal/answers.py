"""What an answer means: leads, a fault that passes, or a fault that a person must mend.

Statuses, problem documents and JSON are judged here; nothing is sent and nothing is retried.
"""

import json
import re
from collections.abc import Collection
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from pf_pipeline.portal.errors import (
    PermanentPortalError,
    PortalDataError,
    PortalError,
    TransientPortalError,
)
from pf_pipeline.portal.transport import Answer

_SUCCESSES = range(200, 300)
_REDIRECTS = range(300, 400)
_REFUSALS = range(400, 500)
_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}  # refusals that pass

_LONGEST_QUOTE = 200
_LONGEST_DETAIL = 1000  # bounds the search for what is personal
_LONGEST_INTEGER = 40  # digits; Python refuses to read thousands of them
_PERSONAL = re.compile(r"\S+@\S+|\+?\d[\d ()-]{5,}\d")  # e-mail addresses and phone numbers


def refuse_failure(answer: Answer, *, secrets: Collection[str] = ()) -> None:
    """Return for a success (2xx); raise what any other status means (contract: errors).

    Args:
        answer: Any answer.
        secrets: What must not be quoted, should the portal repeat it.

    Raises:
        TransientPortalError: 408, 429, 5xx, and a 403 that is not JSON: it comes from the CDN.
        PermanentPortalError: Redirects and every other 4xx.
    """
    if answer.status not in _SUCCESSES:
        raise _failure(answer, _quote(answer, secrets))


def _failure(answer: Answer, quote: str) -> PortalError:
    said = f"{answer.where} answered {_status_name(answer.status)}{quote}"
    if answer.status in _REDIRECTS:
        return PermanentPortalError(
            f"{said}, a redirect, which is not followed because credentials would go along: "
            "check PF_API_BASE_URL."
        )
    if answer.status == HTTPStatus.FORBIDDEN and not _is_json(answer):
        return TransientPortalError(
            f"{said} without JSON, which comes from the portal's CDN and not from a bad key: "
            "try again later.",
            retry_after=_retry_after(answer),
        )
    if answer.status == HTTPStatus.FORBIDDEN:
        return PermanentPortalError(
            f"{said}: the API key lacks a scope (leads need leads:read), so add it at the portal.",
            status=answer.status,
        )
    if answer.status in _REFUSALS and answer.status not in _PASSING:
        return PermanentPortalError(
            f"{said}: asking again will not help, so check PF_API_BASE_URL and PF_API_DIALECT.",
            status=answer.status,
        )
    return TransientPortalError(f"{said}: try again later.", retry_after=_retry_after(answer))


def read_json(answer: Answer) -> object:
    """The parsed body of a success; a number with too many digits becomes a text.

    Raises:
        PortalDataError: The body is a page, is of another type, or is not JSON.
    """
    try:
        payload: object = json.loads(answer.body, parse_int=_whole_number)
    except (ValueError, RecursionError):
        readable = False
    else:
        readable = True
    # Raised outside the handler: the parser's error carries the whole body, and so the leads.
    if _is_html(answer):
        raise PortalDataError(
            f"{answer.where} sent an HTML page instead of JSON, so nothing was read: "
            "check PF_API_BASE_URL, or try again later."
        )
    if not readable:
        raise PortalDataError(
            f"{answer.where} sent broken JSON, so nothing was read: try again later."
        )
    if not _is_json(answer):
        raise PortalDataError(
            f"{answer.where} sent another content type than JSON, so nothing was read: "
            "check PF_API_BASE_URL, or try again later."
        )
    return payload


def _whole_number(digits: str) -> int | str:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else digits


def listed_records(answer: Answer, payload: object, name: str) -> list[object]:
    """The list under a name, ``data`` for leads in both dialects; its items are not looked at.

    Raises:
        PortalDataError: There is no such list.
    """
    records = payload.get(name) if isinstance(payload, dict) else None
    if not isinstance(records, list):
        raise PortalDataError(
            f"{answer.where} sent JSON without a list of records under '{name}', so nothing was "
            "read: check PF_API_BASE_URL, or try again later."
        )
    return records


def _content_type(answer: Answer) -> str:
    return answer.headers.get("Content-Type", "").lower()


def _is_json(answer: Answer) -> bool:
    """JSON of any kind, problem documents included; a success without any type passes too."""
    content_type = _content_type(answer)
    return "json" in content_type or (not content_type and answer.status in _SUCCESSES)


def _is_html(answer: Answer) -> bool:
    return "html" in _content_type(answer) or answer.body.lstrip()[:1] == b"<"


def _status_name(status: int) -> str:
    try:
        return f"HTTP {status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return f"HTTP {status}"


def _quote(answer: Answer, secrets: Collection[str]) -> str:
    """The portal's own explanation, both forms of problem document, as one short line."""
    try:
        problem = json.loads(answer.body) if _is_json(answer) else None
    except (ValueError, RecursionError):
        problem = None
    if not isinstance(problem, dict):
        return ""
    errors = problem.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    details = [problem.get("title"), problem.get("detail")]
    if isinstance(first, dict):
        details += [first.get("detail"), first.get("pointer")]
    texts = [text[:_LONGEST_DETAIL] for text in details if isinstance(text, str) and text]
    words = " - ".join(" ".join(text.split()) for text in texts)
    for secret in filter(None, secrets):
        words = words.replace(secret, "***")
    words = _PERSONAL.sub("***", "".join(filter(str.isprintable, words)))
    return f', "{words[:_LONGEST_QUOTE].rstrip(".")}"' if words else ""


def _retry_after(answer: Answer) -> float | None:
    """The seconds in ``Retry-After``, which may hold a number or a date."""
    value = answer.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
        return max(0.0, (moment - answer.requested_at).total_seconds())
    except (ValueError, TypeError):  # no date, or one without a time zone ("-0000")
        return None
