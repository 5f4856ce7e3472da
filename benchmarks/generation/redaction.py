"""Remove secrets from texts of a server, which may repeat the key that it was sent."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable
from string import ascii_lowercase, ascii_uppercase
from urllib.parse import quote

PIECE = 12
"""A text is removed if it shares this many characters in a row with a secret."""

_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)  # keeps the length of a text


class Redaction:
    """Replaces secrets and pieces of them by ``***``, also in percent, JSON and Base64 encoding.

    Args:
        secrets: The secrets. Case does not matter.
        shortest: Shorter secrets are left alone, because ordinary texts contain them.

    Example:
        >>> Redaction(["sk-0123456789abcdef"])("Incorrect API key: sk-0123456789ab")
        'Incorrect API key: ***'
    """

    def __init__(self, secrets: Iterable[str], shortest: int = 4) -> None:
        self._pieces: dict[int, set[str]] = {}
        for secret in secrets:
            encoded = b64encode(secret.encode("utf-8", "replace")).decode()
            for form in (secret, quote(secret, safe="", errors="replace"), json.dumps(secret)[1:-1], encoded):
                if len(form) >= shortest:
                    size = min(PIECE, len(form))
                    pieces = (form[start : start + size] for start in range(len(form) - size + 1))
                    self._pieces.setdefault(size, set()).update(piece.translate(_LOWER) for piece in pieces)

    def __call__(self, text: str) -> str:
        lowered = text.translate(_LOWER)
        kept, done = list[str](), 0
        for start, end in self._find(lowered):
            if start > done or not kept:
                kept += [text[done:start], "***"]
            done = max(done, end)
        return "".join([*kept, text[done:]])

    def _find(self, text: str) -> list[tuple[int, int]]:
        return sorted(
            (start, start + size)
            for size, pieces in self._pieces.items()
            for start in range(len(text) - size + 1)
            if text[start : start + size] in pieces
        )
