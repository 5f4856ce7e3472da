"""An airline: flights between two airports, keyed by code, on planes that may not be assigned."""

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
from benchmarks.demo.tables.vocabulary import AIRPORTS, TAILS

AIRLINE = Domain(
    "airline",
    (
        table(
            "airport", "airport", len(AIRPORTS),
            key("code", tuple(AIRPORTS)),
            name("city", tuple(AIRPORTS.values())),
            flag("hub", "a hub"),
            number("gates", 4, 160, "number of gates"),
            number("elevation", 1, 2200, scale=LEVEL, nulls=0.15),
        ),
        table(
            "plane", "plane", len(TAILS),
            key(),
            name("tail", TAILS, "tail number"),
            category("model", "A320, A350, B737, B777, E190", verb="is of the model"),
            number("seats", 90, 420, "number of seats"),
            date("built", "1998-01-01", "2022-12-31", "building date", "was built"),
        ),
        table(
            "flight", "flight", 190,
            key(),
            ref("origin", "airport", "departing flights", "origin airport"),
            ref("dest", "airport", "arriving flights", "destination airport"),
            ref("plane_id", "plane", "flights", nulls=0.12),
            date("day", "2022-01-01", "2024-12-31", "date", "took off"),
            number("minutes", 45, 840, "flying time", LENGTH),
            number("fare", 30, 990),
            flag("cancelled"),
        ),
    ),
)  # fmt: skip
