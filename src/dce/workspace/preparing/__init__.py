"""Prepares a prompt for sending: its inputs, its token cost, and .dce/prompt.md."""
