"""How fast scoring is, against SQLite's own time and against plain code: ``python -m benchmarks.performance.throughput``.

A workload (`benchmarks.performance.throughput.workloads`) is a set of contenders, which run in turns
(`benchmarks.performance.throughput.measurement`) under one clock (`benchmarks.performance.throughput.clock`), and the findings that
are read from what they took, some of them with a bar.
"""
