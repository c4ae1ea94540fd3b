"""The files of a workspace: which there are, what they are, and their text."""
