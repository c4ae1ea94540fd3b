"""Behaviour compared without a model: probes made from a project's own tests and examples, run on every answer, and the classes
of answers that behave alike."""
