"""Stand-ins for the rooms above and below the daemon. `tests.support.tree` puts them in their places."""
