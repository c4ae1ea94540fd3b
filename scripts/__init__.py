"""Programs for the people and machines that work on DCE; none is part of the distribution."""
