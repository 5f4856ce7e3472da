"""Find the databases, questions and queries that a training set shares with a test set."""
