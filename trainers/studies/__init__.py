"""Experiments over several seeds. They are not in the wheel."""
