"""`python -m experiments.suite.report`: see report.py."""

from experiments.suite.report.report import main

if __name__ == "__main__":
    raise SystemExit(main())
