"""Rank the runs of a task, with the opinion of an LLM judge if one is configured."""
