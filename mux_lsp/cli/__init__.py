"""Implement the commands for the terminal."""
