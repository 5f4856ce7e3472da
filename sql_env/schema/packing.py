"""Pack a schema into bytes: a worker process reads it, and the calling process gets it."""

from __future__ import annotations

from dataclasses import astuple
from marshal import dumps, loads

from sql_env.schema.model import Column, ForeignKey, Schema, Table


def pack_schema(schema: Schema) -> bytes:
    """Return a schema as bytes in the marshal format, without its cache; `unpack_schema` is the inverse."""
    return dumps((tuple(map(astuple, schema.tables)), schema.keywords))


def unpack_schema(data: bytes) -> Schema:
    """Return the schema that `pack_schema` has packed. The bytes must come from a worker process."""
    tables, keywords = loads(data)
    return Schema(tuple(_make_table(*fields) for fields in tables), keywords)


def _make_table(
    name: str,
    columns: tuple[tuple[str, str, tuple[object, ...], str, tuple[str, ...]], ...],
    primary_key: tuple[str, ...],
    foreign_keys: tuple[tuple[tuple[str, ...], str, tuple[str, ...]], ...],
    *others: str,
) -> Table:
    return Table(
        name,
        tuple(Column(*fields) for fields in columns),  # type: ignore[arg-type]
        primary_key,
        tuple(ForeignKey(*fields) for fields in foreign_keys),
        *others,
    )
