"""Replace the rooms above and below the daemon with fakes. `tests.support.tree` installs them."""
