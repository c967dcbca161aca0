"""Cost against work: seconds of a core and peak memory as rows, columns, networks and pairs grow.

`make growth`, or `python -m benchmarks.growth`. Each point is measured in a process of its own.
"""
