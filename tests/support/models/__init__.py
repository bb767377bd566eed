"""Play scripted models on loopback, for agents that speak other wire formats than the Messages API."""
