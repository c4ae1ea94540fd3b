"""Tests of dce.workspace.judging.exam."""
