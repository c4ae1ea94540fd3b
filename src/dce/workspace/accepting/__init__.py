"""From answers to the workspace's files, and exactly back."""
