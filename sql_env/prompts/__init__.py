"""Prompts: the text that a model reads.

`template` holds the texts, `ddl` writes the schema, `prompt` puts both together within a budget.
"""
