"""Split a query into words, as the official evaluator's tokenizer for English prose does.

It matters: a word that the tokenizer leaves whole, such as ``a=b``, is no SQL to the official
parser. Brackets, ``<``, ``>``, ``*`` and other symbols stand alone; ``=``, ``+``, ``-`` and ``/`` only
between blanks.
"""

from __future__ import annotations

import re

_APART = re.compile(
    r"""[][(){}<>;@\#$%&?!*«»“”‘’„] | ``? | -- | \.{2,}
      | [:,](?!\d)                      # not in 1,000
      | (?<!\.)\.(?=[])}>»”’\s]*\Z)     # a full stop at the end""",
    re.VERBOSE,
)


def split_words(sql: str) -> list[str]:
    """The words of a query in lower case; a string is one word, in double quotes, in its own case.

    Either quote opens and closes a string, and a quote cannot be written inside one. Where a quote
    is left open there are no words.

    Example:
        >>> words("SELECT name FROM t WHERE a >= 'X y' AND b=2")
        ['select', 'name', 'from', 't', 'where', 'a', '>=', '"X y"', 'and', 'b=2']
    """
    pieces = sql.replace("'", '"').split('"')
    if len(pieces) % 2 == 0:
        return []
    strings = {f"__val_{place}__": f'"{piece}"' for place, piece in enumerate(pieces) if place % 2}
    pieces[1::2] = strings  # so that a string sticks to what it touches
    found: list[str] = []
    for word in _APART.sub(r" \g<0> ", "".join(pieces)).lower().split():
        if word == "=" and found and found[-1] in ("!", "<", ">"):
            found[-1] += "="
        else:
            found.append(strings.get(word, word))
    return found
