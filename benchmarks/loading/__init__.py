"""Finding and reading the files of benchmarks and of predictions."""
