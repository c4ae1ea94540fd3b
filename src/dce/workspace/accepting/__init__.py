"""Writing answers into the workspace's files, and restoring those files exactly."""
