"""A power grid: plants, the lines between two of them, and outages."""

from benchmarks.demo.tables.table import (
    LENGTH,
    LEVEL,
    Domain,
    category,
    date,
    flag,
    key,
    name,
    number,
    ref,
    table,
)
from benchmarks.demo.tables.vocabulary import PLANTS

GRID = Domain(
    "grid",
    (
        table(
            "plant", "power plant", 38,
            key(),
            name("name", PLANTS),
            category("fuel", "coal, gas, hydro, solar, wind", verb="is driven by"),
            category("region", "Ångermanland, Bohemia, Galicia, Württemberg", verb="is located in"),
            number("capacity", 5, 940),
            date("opened", "1962-01-01", "2022-12-31", "opening date", "was opened"),
            flag("active"),
        ),
        table(
            "line", "power line", 90,
            ref("from_id", "plant", "outgoing lines", "start plant"),
            ref("to_id", "plant", "incoming lines", "end plant"),
            number("length", 3, 260, scale=LENGTH),
            number("voltage", 60, 420, scale=LEVEL, nulls=0.1),
            key="from_id to_id",
        ),
        table(
            "outage", "outage", 140,
            key(),
            ref("plant_id", "plant", "outages", "power plant"),
            date("began", "2019-01-01", "2024-12-31", "beginning date", "began"),
            number("hours", 1, 96, "duration", LENGTH, nulls=0.15),
            category("cause", "flood, human error, ice, storm, wear", verb="was caused by"),
        ),
    ),
)  # fmt: skip
