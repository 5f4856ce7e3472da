"""The space of all texts, for observations and actions."""

from __future__ import annotations

from typing import Any

from gymnasium import Space

_PIECES = (
    "<think>", "</think>", "<answer>", "</answer>", "```sql\n", "\n```", "SELECT ", "* ", "FROM ",
    "DROP TABLE ", "t", "'", '"', "; ", "--", "(", ")", "1", " ", "\n", "\0", "é", "李", "\U0001f600",
)  # fmt: skip


class TextSpace(Space[str]):
    """The space of all strings.

    `gymnasium.spaces.Text` has a fixed alphabet and length, which the output of a model does not have.
    Samples are built from pieces of SQL and of response formats: they test more of the environment than
    random letters.
    """

    @property
    def is_np_flattenable(self) -> bool:
        return False

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> str:
        """Return a random text of up to 64 pieces.

        Raises:
            ValueError: A mask or a probability is given. This space supports neither.
        """
        if mask is not None or probability is not None:
            raise ValueError("a TextSpace takes neither mask nor probability")
        indices = self.np_random.integers(len(_PIECES), size=self.np_random.integers(65))
        return "".join(_PIECES[i] for i in indices)

    def contains(self, x: Any) -> bool:
        return isinstance(x, str)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TextSpace)

    def __hash__(self) -> int:
        return hash(TextSpace)

    def __repr__(self) -> str:
        return "TextSpace()"
