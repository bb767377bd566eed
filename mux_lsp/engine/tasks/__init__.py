"""Start, continue, discard and delete tasks."""
