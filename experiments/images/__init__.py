"""Images: the data sets and tasks of self_consistency."""
