"""The SQL that keeps how far the deliveries of a webhook inbox are loaded."""

CURSOR = "SELECT number FROM pipeline.webhook_cursors WHERE inbox_id = ?"

MOVE_CURSOR = """
INSERT INTO pipeline.webhook_cursors
VALUES ($inbox_id, $number)
ON CONFLICT DO UPDATE SET number = greatest(webhook_cursors.number, excluded.number)
"""
"""A cursor never goes back: whoever loads a batch once more knows no less than before."""
