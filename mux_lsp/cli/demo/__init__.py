"""Show a demonstration: a real repository, real agents, and the commands that a user would type."""
