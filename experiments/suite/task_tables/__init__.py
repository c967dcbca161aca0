"""Tables of tasks by method: what the experiments on many named tasks share."""
