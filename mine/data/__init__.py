"""Rows: columns, preprocessing, splits, sources, marginal pairs, and what looks odd in them."""
