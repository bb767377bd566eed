"""A server on loopback that speaks the Messages API and plays written or recorded conversations: no key, no network."""
