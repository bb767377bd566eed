"""Backends that attempt a task, behind one Protocol."""
