"""The command-line agents that people have already: how each is started, and what its output says."""
