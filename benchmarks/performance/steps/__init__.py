"""A study of step limits: ``python -m benchmarks.performance.steps``."""
