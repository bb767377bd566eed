"""Start common command-line agents, and parse their output."""
