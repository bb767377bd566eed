"""The state that everything above shares: the tasks and runs, events, verdicts, clients."""
