"""Masking: what says who somebody is comes out as a pseudonym, unless it is asked for by name.

Queries see views over the CRM's tables, and the views mask. So no alias, join or function brings
out what was not asked for. Equal values have equal pseudonyms for as long as the process lives:
repeat inquirers can be counted without knowing them, and nothing can be looked up by a pseudonym.
"""

import re
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from pf_pipeline.analysis.errors import QueryError

PEOPLE = {"contact", "contacts", "owner", "landlord", "tenant", "client", "customer", "sender"}
REACHED_BY = {"name", "names", "email", "emails", "mail", "phone", "phones", "mobile", "telephone"}
SAID = {"whatsapp", "message", "messages", "note", "notes", "comment", "comments", "remarks"}
UNREAD = {"raw", "extra", "body", "payload", "headers", "link", "url"}
WORDS = frozenset(PEOPLE | REACHED_BY | SAID | UNREAD)
"""A column whose name has one of these words is masked, in tables that come later too."""

OPEN_AGENT_COLUMNS = frozenset({"agent_id", "portal_user_id", "portal_profile_id", "active"})
"""Of an agent no other column is shown: a brokerage's own file may bring any."""

RECORDING_LINKS = ("lead_events", "value")
"""Holds the link to a recording where its kind says so, and statuses and agents elsewhere."""

_SALT = secrets.token_hex(16)
"""Unknown to queries: with it, every phone number there is could be tried out."""
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")


@dataclass(frozen=True)
class Column:
    """A column of the CRM.

    Attributes:
        table: Its table, without schema.
        name: Its name.
        type: Its DuckDB type.
    """

    table: str
    name: str
    type: str

    @property
    def is_personal(self) -> bool:
        """Whether it may say who somebody is, or open what only they should open."""
        if self.table == "agents":
            return self.name not in OPEN_AGENT_COLUMNS
        return bool(WORDS & {part.lower() for part in _PARTS.findall(self.name)})

    def expression(self, revealed: Collection[str]) -> str:
        """How the masking view selects it."""
        quoted = '"' + self.name.replace('"', '""') + '"'
        if {self.name, f"{self.table}.{self.name}", f"crm.{self.table}.{self.name}"} & {*revealed}:
            return quoted
        if (self.table, self.name) == RECORDING_LINKS and "recording_url" not in revealed:
            link = f"kind = 'recording' THEN {_pseudonym(quoted)}"
            return f"CASE WHEN {link} ELSE {quoted} END AS {quoted}"
        if not self.is_personal:
            return quoted
        pseudonym = _pseudonym(quoted)
        return f"{f'to_json({pseudonym})' if self.type == 'JSON' else pseudonym} AS {quoted}"


def _pseudonym(value: str) -> str:
    return f"'masked-' || substr(md5('{_SALT}' || {value}::VARCHAR), 1, 10)"


def check_revealed(revealed: Collection[str], columns: Collection[Column]) -> None:
    """Refuse a name that no column has.

    Raises:
        QueryError: Names it.
    """
    known = {name for column in columns for name in _names(column)}
    for name in revealed:
        if name not in known:
            raise QueryError(
                f"No table of the CRM has a column '{name}' to reveal: name it like 'phone' or "
                "'leads.phone'."
            )


def _names(column: Column) -> Iterator[str]:
    yield column.name
    yield f"{column.table}.{column.name}"
    yield f"crm.{column.table}.{column.name}"
