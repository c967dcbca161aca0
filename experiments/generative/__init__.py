"""Generative models: what the experiments train, and measures of their samples."""
