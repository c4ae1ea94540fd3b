"""Tests of dce.workspace.judging.always."""
