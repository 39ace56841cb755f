"""What a question may be: one SELECT over the CRM's tables, and nothing else.

The masking views are all that a question may read. Whatever would go around them (the file under
another name, functions that open files or other databases) is refused before anything runs.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import duckdb

from pf_pipeline.analysis.errors import QueryError
from pf_pipeline.crm.connection import SCHEMAS

TABLE_FUNCTIONS = frozenset(
    {"generate_series", "range", "unnest", "repeat", "repeat_row", "json_each", "json_tree"}
)
"""Functions that may stand in FROM: none of them opens anything."""
CATALOG = ("duckdb_", "sqlite_", "pg_")
"""DuckDB's own tables, which would show how the views mask, also where WITH borrows their names."""
NO_QUESTION = "The query must be one SELECT: the CRM is only read here."
TELLING = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException)
"""Errors that speak of the query; others may quote what stands in the tables."""


def tables_read(connection: duckdb.DuckDBPyConnection, sql: str) -> set[str]:
    """The tables that a plain question reads, such as ``crm.leads``; all else is refused.

    Raises:
        QueryError: One sentence says what is wrong.
    """
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryError(sentence(error)) from None
    if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
        raise QueryError(NO_QUESTION)
    ((tree,),) = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()
    nodes = [*_nodes(json.loads(tree))]
    if nodes[0]["error"]:  # it cannot be looked into
        raise QueryError(NO_QUESTION)
    # The names that the query gives itself, in WITH.
    own = {str(node["key"]).lower() for node in nodes if {"key", "value"} == node.keys()}
    read = {_table_read(node, own) for node in nodes if node.get("type") == "BASE_TABLE"}
    for node in nodes:
        if node.get("type") == "TABLE_FUNCTION":
            _check_function(node)
    return read - {""}


def sentence(error: duckdb.Error) -> str:
    """DuckDB's reason in one sentence, without what stands in the tables."""
    if not isinstance(error, TELLING):
        return f"The query cannot be answered: {type(error).__name__} while it ran."
    reason = str(error).partition("\n")[0].partition(": ")[2].rstrip("!. ")
    return f"The query cannot be understood: {reason}."


def _table_read(node: Mapping[str, Any], own: Collection[str]) -> str:
    """The table that stands in a FROM; empty if the query made it itself."""
    catalog, schema, table = (
        str(node.get(f"{part}_name", "")).lower() for part in ("catalog", "schema", "table")
    )
    named_here = not schema and table in own and not table.startswith(CATALOG)
    if catalog or not (schema in SCHEMAS or named_here):
        raise QueryError(
            f"The query reads '{table}', but only tables such as crm.leads can be read."
        )
    return f"{schema}.{table}" if schema else ""


def _check_function(node: Mapping[str, Any]) -> None:
    function = str(node.get("function", {}).get("function_name", "")).lower()
    if function not in TABLE_FUNCTIONS:
        raise QueryError(
            f"The query uses {function}(), but only tables such as crm.leads can be read."
        )


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    """All objects of a syntax tree."""
    waiting = [tree]
    while waiting:
        match waiting.pop():
            case dict() as node:
                yield node
                waiting.extend(node.values())
            case list() as nodes:
                waiting.extend(nodes)
