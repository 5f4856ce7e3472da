"""A stand-in for rows that were not fetched from the worker."""

from __future__ import annotations

from typing import Any, NoReturn

from sql_env.errors import RowsError
from sql_env.types import Row


class RowsNotFetched(tuple[Row, ...]):
    """Rows that stayed in the worker that compared them. Reading them raises `RowsError`.

    It is a tuple, so that it has the type of rows. The only instance is `ROWS_NOT_FETCHED`.
    """

    __slots__ = ()
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return "<rows not fetched>"

    def __reduce__(self) -> str:
        return "ROWS_NOT_FETCHED"

    def _refuse(self, *_: Any) -> NoReturn:
        raise RowsError(
            "the rows of this result were not fetched from the worker: make the Scorer with rows=True. A "
            "reward that reads rows must not be marked with sql_env.without_rows"
        )

    __len__ = __bool__ = __iter__ = __reversed__ = __getitem__ = __contains__ = _refuse
    __add__ = __radd__ = __mul__ = __rmul__ = index = count = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse


ROWS_NOT_FETCHED = RowsNotFetched()
