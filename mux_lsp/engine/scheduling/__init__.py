"""The order in which runs start, and the limits at which they stop."""
