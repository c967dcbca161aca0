"""The store: run folders, tables, checksums, provenance, checkpoints, lock."""
