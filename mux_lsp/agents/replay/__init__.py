"""Serve scripted or recorded conversations of the Messages API on loopback, without a key and without the network."""
