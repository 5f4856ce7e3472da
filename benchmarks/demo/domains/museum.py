"""A museum: artworks, some by unknown artists, and the exhibitions that show them."""

from benchmarks.demo.tables.table import TIME, Domain, category, date, key, name, number, ref, table
from benchmarks.demo.tables.vocabulary import ARTWORKS, COUNTRIES, EXHIBITS, PEOPLE

MUSEUM = Domain(
    "museum",
    (
        table(
            "artist", "artist", 30,
            key(),
            name("name", PEOPLE),
            category("country", COUNTRIES, verb="is from"),
            number("birth_year", 1780, 1985, "birth year", TIME, "was born"),
            number("death_year", 1850, 2023, "death year", TIME, "died", nulls=0.3),
        ),
        table(
            "work", "artwork", 80,
            key(),
            name("title", ARTWORKS),
            ref("artist_id", "artist", "artworks", nulls=0.12),
            category("medium", "bronze, drawing, oil, photograph, woodcut", verb="is of the medium"),
            number("year", 1800, 2022, "creation year", TIME, "was created"),
            number("value", 2, 980, nulls=0.2),
        ),
        table(
            "exhibit", "exhibition", 22,
            key(),
            name("title", EXHIBITS),
            date("opened", "2017-01-01", "2023-12-31", "opening date", "was opened"),
            date("closed", "2017-01-01", "2024-12-31", "closing date", "was closed", 0.15, after="opened"),
            number("visitors", 400, 9800, "number of visitors"),
        ),
        table(
            "display", "display", 130,
            ref("exhibit_id", "exhibit", "displays", "exhibition"),
            ref("work_id", "work", "displays", "artwork"),
            category("room", "Atrium, East Wing, King's Hall, Salon Écru", verb="is in the room"),
            key="exhibit_id work_id",
        ),
    ),
)  # fmt: skip
