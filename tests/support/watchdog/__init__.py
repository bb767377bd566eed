"""The folder that the processes of a test's home have in PYTHONPATH."""
