"""The exit statuses of `python -m experiments`; 128 + n after signal n."""

OK, FAILED, BAD_INPUT, LOCKED, INTERRUPTED = 0, 1, 2, 3, 130
