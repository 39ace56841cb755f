"""SQL that several subjects share."""

BY_A_PERSON = """
(
    stored.assignment_rule = 'manual'
    OR (
        stored.agent_id IS DISTINCT FROM given.agent_id
        AND NOT (stored.agent_id IS NULL AND stored.assignment_rule = 'unassigned')
    )
)
"""
"""Whether a person decided: the agent, or that there is none, is not what the rules gave last.

Who wants the rules to decide again clears the agent and writes 'unassigned'.
"""


def upsert(table: str, columns: tuple[str, ...], source: str) -> str:
    """MERGE that touches no row whose columns are what they were."""
    values = columns[1:]
    stored_row = ", ".join(f"stored.{name}" for name in values)
    new_row = ", ".join(f"new.{name}" for name in values)
    changes = ", ".join(f"{name} = new.{name}" for name in values)
    return f"""
        MERGE INTO {table} AS stored
        USING (SELECT {", ".join(columns)} FROM {source}) AS new
        USING ({columns[0]})
        WHEN MATCHED AND ROW({stored_row}) IS DISTINCT FROM ROW({new_row})
            THEN UPDATE SET {changes}
        WHEN NOT MATCHED THEN INSERT BY NAME
        RETURNING merge_action
    """
