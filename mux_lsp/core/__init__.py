"""Provide the pure logic: no I/O, no async, no clock, no git, no LSP."""
