"""How fast the stacked core is beside what people do without it: `make bench`.

Everything is measured in turn in one process group, round after round, so that what else the
machine does in the meantime falls on all alike; what is reported are medians of each round's
ratios.
"""
