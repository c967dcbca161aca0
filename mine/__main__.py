"""`python -m mine`: the command, where the script `mine` is not installed."""

from mine.command.main import main

if __name__ == "__main__":
    main()
