"""The command line: one file a verb, each exposing `command`; `main.py` holds the table of verbs and turns errors to messages."""
