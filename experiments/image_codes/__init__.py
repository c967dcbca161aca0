"""Codes of images by a bottleneck: the arms, the choice of beta, and the figures."""
