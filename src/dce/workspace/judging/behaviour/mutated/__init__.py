"""Probes for any language with a tree-sitter grammar: the project's tests with other values in them, run by the project's own checks."""
