"""What test runners report, read into one form: which tests there are and how each ended.

`outcome.py` is that form; each runner has a module of its own; `table.py` lists them and chooses among what a command left behind;
`asking.py` says how a runner can be asked for more than it prints. Nothing here runs anything.
"""
