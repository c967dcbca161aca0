"""Noisy functions: the figures of equitability."""
