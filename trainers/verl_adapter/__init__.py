"""The agent loop, the data and the batches for verl."""
