"""The ten domains as data: their tables and columns, with their English names."""

from benchmarks.demo.domains.culture import FESTIVAL, LEAGUE, LIBRARY, MUSEUM, OBSERVATORY
from benchmarks.demo.domains.services import AIRLINE, CLINIC, COMPANY, GRID, RESTAURANT

DOMAINS = (
    CLINIC, LIBRARY, AIRLINE, LEAGUE, RESTAURANT, COMPANY, FESTIVAL, GRID,
    MUSEUM, OBSERVATORY,
)  # fmt: skip
