"""The ten domains as data: their tables and columns, with their English names."""

from benchmarks.demo.domains.airline import AIRLINE
from benchmarks.demo.domains.clinic import CLINIC
from benchmarks.demo.domains.company import COMPANY
from benchmarks.demo.domains.festival import FESTIVAL
from benchmarks.demo.domains.grid import GRID
from benchmarks.demo.domains.league import LEAGUE
from benchmarks.demo.domains.library import LIBRARY
from benchmarks.demo.domains.museum import MUSEUM
from benchmarks.demo.domains.observatory import OBSERVATORY
from benchmarks.demo.domains.restaurant import RESTAURANT

DOMAINS = (
    CLINIC, LIBRARY, AIRLINE, LEAGUE, RESTAURANT, COMPANY, FESTIVAL, GRID,
    MUSEUM, OBSERVATORY,
)  # fmt: skip
