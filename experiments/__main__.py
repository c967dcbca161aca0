"""`python -m experiments`: see run.py."""

from experiments.run import command

if __name__ == "__main__":
    raise SystemExit(command())
