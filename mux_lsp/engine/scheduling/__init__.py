"""Decide the order in which runs start, and enforce the limits at which they stop."""
