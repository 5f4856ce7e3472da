"""In place of the rows that nobody has asked for."""

from __future__ import annotations

from typing import Any, NoReturn

from sql_env.errors import RowsError
from sql_env.types import Row


class RowsNotFetched(tuple[Row, ...]):
    """Rows that have stayed in the worker that compared them. To read them in any way raises.

    It is a tuple, so that it fits where rows do; there is one of it, `ROWS_NOT_FETCHED`.
    """

    __slots__ = ()
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return "<rows withheld>"

    def __reduce__(self) -> str:
        return "WITHHELD"

    def _refuse(self, *_: Any) -> NoReturn:
        raise RowsError(
            "the rows of this result were compared where the query ran, and not kept: make the Scorer with "
            "rows=True; a reward that reads them must not be marked with sql_env.without_rows"
        )

    __len__ = __bool__ = __iter__ = __reversed__ = __getitem__ = __contains__ = _refuse
    __add__ = __radd__ = __mul__ = __rmul__ = index = count = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse


ROWS_NOT_FETCHED = RowsNotFetched()
