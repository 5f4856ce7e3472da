"""The tables of a database, their descriptions, and the quoting of names."""
