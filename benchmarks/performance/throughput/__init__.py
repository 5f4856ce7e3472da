"""How fast scoring is, compared with SQLite alone and with plain code.

``python -m benchmarks.performance.throughput`` runs it. A workload is a set of contenders, which run in turns
under one clock, and the findings that are read from their times, some of them with a bar.
"""
