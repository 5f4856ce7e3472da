"""Which questions are the same, or nearly."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SIZE = 4
"""Characters of an n-gram. They bear with inflection and word order better than whole words do."""

_BETWEEN = re.compile(r"[\W_]+")


def normalised(question: str) -> str:
    """A question without case, punctuation, accents' encodings and extra blanks.

    Example:
        >>> normalised("  What's the NAME, please? ")
        'what s the name please'
    """
    return _BETWEEN.sub(" ", unicodedata.normalize("NFKC", question).casefold()).strip()


def grams(question: str) -> frozenset[str]:
    """The character n-grams of a normalised question, with a blank before and after it."""
    padded = f" {question} "
    return frozenset(padded[at : at + SIZE] for at in range(max(1, len(padded) - SIZE + 1)))


class QuestionIndex:
    """Finds the questions of a test set that are like a given one, by exact Jaccard similarity.

    An inverted index from n-gram to questions: what is kept depends on the test set alone, so that a
    training set of any length can be looked up one by one. There is no sampling as in MinHash, whose
    memory would grow with the training set, and nothing is missed.

    Args:
        questions: Normalised questions.

    Example:
        >>> index = QuestionIndex([normalised("How many singers are there?"), "what is the age"])
        >>> [(place, round(likeness, 2)) for place, likeness in index.like("how many singer are there", 0.7)]
        [(0, 0.75)]
    """

    def __init__(self, questions: Sequence[str]) -> None:
        postings: dict[str, list[int]] = defaultdict(list)
        sizes = []
        for place, question in enumerate(questions):
            pieces = grams(question)
            sizes.append(len(pieces))
            for piece in pieces:
                postings[piece].append(place)
        self._sizes: NDArray[np.int64] = np.array(sizes, dtype=np.int64)
        self._postings = {piece: np.array(places, dtype=np.int64) for piece, places in postings.items()}

    def like(self, question: str, least: float) -> list[tuple[int, float]]:
        """The places of the questions whose similarity to this one is ``least`` or more, and how much.

        Args:
            question: A normalised question.
            least: A Jaccard similarity, above 0 and up to 1: shared n-grams over all n-grams of both.
        """
        pieces = grams(question)
        found = [self._postings[piece] for piece in pieces if piece in self._postings]
        if not found:
            return []
        shared = np.bincount(np.concatenate(found), minlength=len(self._sizes))
        likeness = shared / (self._sizes + len(pieces) - shared)
        return [(int(place), float(likeness[place])) for place in np.flatnonzero(likeness >= least)]
