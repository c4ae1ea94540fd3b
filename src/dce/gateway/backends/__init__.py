"""The inference servers: what each is, whether it is well, which one is asked, and the HTTP to it."""
