"""Split a query into words as the official evaluator does, with a tokenizer for English prose.

This matters: a word that the tokenizer does not split, such as ``a=b``, is no SQL for the official parser.
Brackets, ``<``, ``>``, ``*`` and other symbols are words of their own; ``=``, ``+``, ``-`` and ``/`` only
between blanks.
"""

from __future__ import annotations

import re

_SEPARATE = re.compile(
    r"""[][(){}<>;@\#$%&?!*«»“”‘’„] | ``? | -- | \.{2,}
      | [:,](?!\d)                      # not in 1,000
      | (?<!\.)\.(?=[])}>»”’\s]*\Z)     # a full stop at the end""",
    re.VERBOSE,
)


def split_words(sql: str) -> list[str]:
    """Split a query into words in lower case. A string is one word, in double quotes, and keeps its case.

    Both kinds of quotes open and close a string, and a string cannot contain a quote. If a quote is not
    closed there are no words.

    Example:
        >>> split_words("SELECT name FROM t WHERE a >= 'X y' AND b=2")
        ['select', 'name', 'from', 't', 'where', 'a', '>=', '"X y"', 'and', 'b=2']
    """
    pieces = sql.replace("'", '"').split('"')
    if len(pieces) % 2 == 0:
        return []
    strings = {f"__val_{place}__": f'"{piece}"' for place, piece in enumerate(pieces) if place % 2}
    pieces[1::2] = strings  # keeps a string together with the text that touches it
    found: list[str] = []
    for word in _SEPARATE.sub(r" \g<0> ", "".join(pieces)).lower().split():
        if word == "=" and found and found[-1] in ("!", "<", ">"):
            found[-1] += "="
        else:
            found.append(strings.get(word, word))
    return found
