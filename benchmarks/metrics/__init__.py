"""Metrics of answers.

To add one, write a function here and call it in ``select_metrics`` of `benchmarks.evaluation.judging`. A
metric that is not a share also needs a line in ``_SCORES`` of `benchmarks.evaluation.summary`.
"""
