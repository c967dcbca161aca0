"""Seconds and network-steps until an estimate is, and stays, near the truth.

`make time-to-accuracy`, or `python -m benchmarks.time_to_accuracy`.
"""
