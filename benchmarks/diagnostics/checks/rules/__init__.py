"""Checks of gold queries.

To add one, write a function like those here and name it in pyproject.toml, in an
entry point of the group ``sql_env.checks``.
"""
