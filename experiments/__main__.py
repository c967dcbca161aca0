"""`python -m experiments`: see suite/run/command.py."""

from experiments.suite.run.command import command

if __name__ == "__main__":
    raise SystemExit(command())
