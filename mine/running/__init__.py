"""Running: from jobs to estimates, many at a time."""
