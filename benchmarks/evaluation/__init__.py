"""The parts of ``python -m benchmarks.evaluate`` and ``sql-env ask``: from prompts to metrics."""
