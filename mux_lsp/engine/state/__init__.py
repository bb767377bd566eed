"""Hold the state that the whole engine shares: tasks and runs, events, verdicts, clients."""
