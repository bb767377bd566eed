"""The long-running process and the bridge that editors spawn."""
