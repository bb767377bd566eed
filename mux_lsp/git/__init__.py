"""Run git: the only package that does."""
