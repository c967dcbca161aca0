"""The runner: from a config to the rows of a run."""
