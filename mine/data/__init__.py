"""Rows: columns, preprocessing, splits, sources, batches, marginal pairs, and what looks odd."""
