"""Claims: checks, intervals, wording and verdicts."""
