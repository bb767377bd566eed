"""Persist the journal in SQLite."""
