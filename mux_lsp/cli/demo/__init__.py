"""The demonstration: a real repository, real agents, and the commands that a person would type."""
