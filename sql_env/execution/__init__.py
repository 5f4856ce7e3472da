"""Running SQL: executor, pool of worker processes, worker, engines."""
