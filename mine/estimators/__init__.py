"""What one calls: estimate, estimate_many, conditional, pairwise.

A module `mine.estimate` would hide the function of that name, so these have a folder.
"""
