"""Run the long-running daemon, and the bridge that editors start."""
