"""Who is asking, what they may use, and when they may begin."""
