"""The report over all runs, and their status."""
