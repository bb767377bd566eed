"""Run checks on a tree, and compare their results with the baseline."""
