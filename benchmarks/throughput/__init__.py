"""How fast scoring is, against SQLite's own time and against plain code: ``python -m benchmarks.throughput``.

A workload (`benchmarks.throughput.workloads`) is a set of contenders, which run in turns
(`benchmarks.throughput.measurement`) under one clock (`benchmarks.throughput.clock`), and the findings that
are read from what they took, some of them with a bar.
"""
