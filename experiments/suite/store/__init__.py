"""The store: run folders, tables, checksums, checkpoints and locks."""
