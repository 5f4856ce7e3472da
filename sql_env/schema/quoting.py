"""Names as SQL."""

from __future__ import annotations

import re
from collections.abc import Container

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def identifier(name: str, keywords: Container[str] = ()) -> str:
    """A name as SQL, quoted where it must be; ``keywords`` are in upper case."""
    if _PLAIN_NAME.fullmatch(name) and name.upper() not in keywords:
        return name
    return '"' + name.replace('"', '""') + '"'
