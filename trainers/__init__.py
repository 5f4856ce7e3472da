"""Training with TRL and verl."""
