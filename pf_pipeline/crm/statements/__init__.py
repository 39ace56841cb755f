"""The SQL of the CRM, by subject; the warehouse runs it."""
