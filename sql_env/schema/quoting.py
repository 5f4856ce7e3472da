"""Write names as SQL."""

from __future__ import annotations

import re
from collections.abc import Container

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def quote_identifier(name: str, keywords: Container[str] = ()) -> str:
    """Write a name as SQL, in double quotes if it needs them. ``keywords`` are in upper case."""
    if _PLAIN_NAME.fullmatch(name) and name.upper() not in keywords:
        return name
    return '"' + name.replace('"', '""') + '"'
