"""The paper's experiments: what to run as plain data, what to draw and what to claim from rows."""
