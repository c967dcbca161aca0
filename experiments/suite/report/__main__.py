"""`python -m experiments.suite.report`: see command.py."""

from experiments.suite.report.command import main

if __name__ == "__main__":
    raise SystemExit(main())
