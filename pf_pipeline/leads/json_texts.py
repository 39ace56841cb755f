"""JSON between the portal, Python and databases, without losing or breaking anything.

:mod:`json` reads and writes what is common. It also reads what no database stores (``NaN``, a
number beyond every range, NUL, half of a surrogate pair), and nesting so deep that it cannot write
it again from another place in the program: such values take the longer way through :func:`_write`.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator

LONGEST_INTEGER_DIGITS = 40
LONGEST_INTEGER = 10**LONGEST_INTEGER_DIGITS


def read_json(body: bytes) -> object:
    """Decode JSON; numbers that only Python reads, or not even Python, become texts.

    Raises:
        ValueError: It is no JSON, or nested too deep.
    """
    try:
        value: object = json.loads(
            body, parse_constant=str, parse_int=_integer, parse_float=_fraction
        )
    except RecursionError:
        raise ValueError("the JSON is nested too deep") from None
    return value


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= LONGEST_INTEGER_DIGITS else digits


def _fraction(digits: str) -> float | str:
    value = float(digits)
    return value if math.isfinite(value) else digits


def clean_text(value: str) -> str:
    """Drop what no database stores: NUL, and halves of surrogate pairs cut by the portal."""
    if value.isascii():
        return value.replace("\0", "") if "\0" in value else value
    return value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def stripped_text(value: str) -> str | None:
    """A text as it is stored, without surrounding blanks; nothing where nothing is left."""
    return clean_text(value).strip() or None


def as_text(value: object) -> str | None:
    """Any scalar as a text without surrounding blanks; whole numbers too, all else is nothing."""
    if isinstance(value, str):
        return stripped_text(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < LONGEST_INTEGER else None
    return None


def storable_json(value: object) -> str:
    """Compact JSON with sorted keys, its texts clean: every database takes it.

    Compact as DuckDB writes JSON too, so that what the merge law puts together reads the same.
    """
    try:
        text = json.dumps(
            value, ensure_ascii=False, sort_keys=True, allow_nan=False, separators=(",", ":")
        )
    except (ValueError, RecursionError):
        return _write(value, sorted, clean_text)
    return _write(value, sorted, clean_text) if r"\u0000" in text else clean_text(text)


def whole_json(value: object) -> str:
    """Compact JSON that reads back as the same value, keys in their own order."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        text.encode()
    except (ValueError, RecursionError):
        return _write(value, list, str)
    return text


class _Syntax(str):
    """A piece of JSON that stands already as it shall be written."""

    __slots__ = ()


def _write(
    value: object, order: Callable[[Iterable[str]], list[str]], clean: Callable[[str], str]
) -> str:
    """JSON in ASCII of whatever was decoded, however deep; numbers that JSON lacks as texts.

    Args:
        value: A decoded JSON value.
        order: Puts the keys of an object in order.
        clean: What becomes of texts.
    """
    written: list[str] = []
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, _Syntax):
            written.append(item)
        elif isinstance(item, dict):
            members = [(f"{_scalar(key, clean)}:", item[key]) for key in order(item)]
            waiting += reversed([*_enclosed("{", members, "}")])
        elif isinstance(item, list):
            waiting += reversed([*_enclosed("[", [("", member) for member in item], "]")])
        else:
            written.append(_scalar(item, clean))
    return "".join(written)


def _enclosed(opening: str, members: list[tuple[str, object]], closing: str) -> Iterator[object]:
    yield _Syntax(opening)
    for position, (name, member) in enumerate(members):
        yield _Syntax(f",{name}" if position else name)
        yield member
    yield _Syntax(closing)


def _scalar(value: object, clean: Callable[[str], str]) -> str:
    if isinstance(value, str):
        return json.dumps(clean(value))
    if isinstance(value, int) and abs(value) >= LONGEST_INTEGER:
        return f'"{value:#x}"'  # in decimal, Python refuses thousands of digits
    if isinstance(value, float) and not math.isfinite(value):
        return f'"{value}"'
    return json.dumps(value)
