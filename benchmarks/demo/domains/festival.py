"""A film festival: directors, films, screenings and awards."""

from benchmarks.demo.tables.table import (
    LENGTH,
    TIME,
    Domain,
    category,
    date,
    key,
    name,
    number,
    real,
    ref,
    table,
)
from benchmarks.demo.tables.vocabulary import COUNTRIES, FILMS, PEOPLE

FESTIVAL = Domain(
    "festival",
    (
        table(
            "director", "director", 26,
            key(),
            name("name", PEOPLE),
            category("country", COUNTRIES, verb="is from"),
            number("birth_year", 1938, 1998, "birth year", TIME, "was born", nulls=0.1),
        ),
        table(
            "film", "film", 64,
            key(),
            name("title", FILMS),
            ref("director_id", "director", "films"),
            category("genre", "animation, comedy, documentary, drama, thriller", verb="is of the genre"),
            number("minutes", 52, 210, "running time", LENGTH),
            date("released", "2018-01-01", "2024-08-31", "release date", "was released"),
            number("budget", 1, 190, nulls=0.2),
        ),
        table(
            "screening", "screening", 150,
            key(),
            ref("film_id", "film", "screenings"),
            category("hall", "Apollo, Lumière, Odeon, Rex", verb="was held in the hall"),
            date("day", "2023-09-01", "2024-12-31", "date", "was held"),
            number("tickets", 0, 420, "number of tickets"),
            real("price", 5, 19),
        ),
        table(
            "award", "award", 50,
            ref("film_id", "film", "awards"),
            category("prize", "audience prize, best actor, best script, critics' prize, grand prize"),
            number("year", 2018, 2024, scale=TIME, verb="was given"),
            key="film_id prize year",
        ),
    ),
)  # fmt: skip
