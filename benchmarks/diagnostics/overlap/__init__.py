"""What a training set shares with a test set: databases, questions and queries."""
