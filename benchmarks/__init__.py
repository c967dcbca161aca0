"""How fast the stacked core is, compared with training one network at a time: `make bench`.

All contenders are measured in turn, round after round, so that other work on the machine slows
them down equally. The report gives medians of each round's ratios.
"""
