"""The HTTP connection to a server: the client, its link, and the errors."""
