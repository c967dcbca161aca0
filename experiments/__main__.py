"""`python -m experiments`: see run.py."""

from experiments.suite.run.command import command

if __name__ == "__main__":
    raise SystemExit(command())
