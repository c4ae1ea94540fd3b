"""Lanes: where the project's commands run on an answer, apart from the workspace, from each other and from DCE."""
