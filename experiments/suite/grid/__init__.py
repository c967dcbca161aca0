"""The grid of an experiment: its cells, and the shards that divide them among workers."""
