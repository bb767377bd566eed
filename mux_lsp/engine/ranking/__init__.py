"""Rank the attempts of a task, with the opinion of an LLM judge where one is configured."""
