"""Probes for JavaScript and TypeScript: made from tests, examples and exports with tree-sitter, run in the project's own node."""
