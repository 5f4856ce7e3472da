"""Reports of runs: one HTML page, figures, and the error classes that both show."""
