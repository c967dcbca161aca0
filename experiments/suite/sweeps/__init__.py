"""Sweeps: reading what a sweep varied, and drawing it."""
