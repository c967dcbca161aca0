"""`python -m mine`: the command, where the script `mine` is not installed."""

from mine.cli import main

if __name__ == "__main__":
    main()
