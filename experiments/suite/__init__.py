"""The machinery of the experiments: a folder for each role."""
