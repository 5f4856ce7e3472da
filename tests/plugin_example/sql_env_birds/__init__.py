"""A plug-in for sql-env."""
