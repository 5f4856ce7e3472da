"""Loaders of benchmarks, evaluation, metrics, reports and diagnostics."""
