"""`python -m mine`: the command, for where the script `mine` is not on the path."""

from mine.command.main import main

if __name__ == "__main__":
    main()
