"""Metrics of answers.

To add one, write a function here and call it in ``select_metrics`` of `benchmarks.evaluation.judging`.
"""
