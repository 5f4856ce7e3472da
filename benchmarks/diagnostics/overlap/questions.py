"""Find questions that are equal or nearly equal."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NGRAM_SIZE = 4
"""Characters of an n-gram. They tolerate inflection and word order better than whole words do."""

_BETWEEN = re.compile(r"[\W_]+")


def normalise_question(question: str) -> str:
    """Remove case, punctuation, extra blanks and differences of Unicode encoding from a question.

    Example:
        >>> normalise_question("  What's the NAME, please? ")
        'what s the name please'
    """
    return _BETWEEN.sub(" ", unicodedata.normalize("NFKC", question).casefold()).strip()


def make_ngrams(question: str) -> frozenset[str]:
    """Return the character n-grams of a normalised question, with a blank before and after it."""
    padded = f" {question} "
    return frozenset(padded[at : at + NGRAM_SIZE] for at in range(max(1, len(padded) - NGRAM_SIZE + 1)))


class QuestionIndex:
    """Finds the questions of a test set that are similar to a given one, by exact Jaccard similarity.

    It is an inverted index from n-gram to questions. Its size depends only on the test set, so a training
    set of any length can be looked up question by question. It does not sample as MinHash does, whose
    memory would grow with the training set, and it misses nothing.

    Args:
        questions: Normalised questions.

    Example:
        >>> index = QuestionIndex([normalise_question("How many singers are there?"), "what is the age"])
        >>> [(place, similarity)] = index.similar_to("how many singer are there", 0.7)
        >>> place, round(similarity, 2)
        (0, 0.75)
    """

    def __init__(self, questions: Sequence[str]) -> None:
        postings: dict[str, list[int]] = defaultdict(list)
        sizes = []
        for place, question in enumerate(questions):
            pieces = make_ngrams(question)
            sizes.append(len(pieces))
            for piece in pieces:
                postings[piece].append(place)
        self._sizes: NDArray[np.int64] = np.array(sizes, dtype=np.int64)
        self._postings = {piece: np.array(places, dtype=np.int64) for piece, places in postings.items()}

    def similar_to(self, question: str, least: float) -> list[tuple[int, float]]:
        """Return the places and similarities of the questions at least this similar to a question.

        Args:
            question: A normalised question.
            least: A Jaccard similarity above 0 and up to 1: shared n-grams over all n-grams of both.
        """
        pieces = make_ngrams(question)
        found = [self._postings[piece] for piece in pieces if piece in self._postings]
        if not found:
            return []
        shared = np.bincount(np.concatenate(found), minlength=len(self._sizes))
        similarity = shared / (self._sizes + len(pieces) - shared)
        return [(int(place), float(similarity[place])) for place in np.flatnonzero(similarity >= least)]
