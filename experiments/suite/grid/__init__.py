"""The grid: cells, and the shards they are dealt to."""
