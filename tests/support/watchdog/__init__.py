"""Hold the module that the processes of a test's home find through PYTHONPATH."""
