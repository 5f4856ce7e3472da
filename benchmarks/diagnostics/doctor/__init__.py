"""What ails a run: rules over its items, pure functions from a `benchmarks.diagnostics.doctor.run.Run` to findings."""
