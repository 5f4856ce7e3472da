"""Rules that diagnose a run from its items."""
