"""Methods: what turns rows into an estimate. A file is a family."""
