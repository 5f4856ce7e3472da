"""Diagnose a run from its items."""
