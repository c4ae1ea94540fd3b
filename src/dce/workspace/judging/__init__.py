"""What can be known about the answers: compared, checked, ranked."""
