"""The contents of the prompt: which files are selected, how much of each is shown, what it costs, and how it is assembled."""
