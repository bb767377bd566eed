"""The journal: SQLite."""
