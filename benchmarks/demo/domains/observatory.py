"""An observatory: telescopes, stars, observers with mentors, and who saw what with which."""

from benchmarks.demo.tables.table import (
    LENGTH,
    LEVEL,
    TIME,
    Domain,
    category,
    date,
    flag,
    key,
    name,
    number,
    real,
    ref,
    table,
)
from benchmarks.demo.tables.vocabulary import COUNTRIES, PEOPLE, STARS, TELESCOPES

OBSERVATORY = Domain(
    "observatory",
    (
        table(
            "telescope", "telescope", len(TELESCOPES),
            key(),
            name("name", TELESCOPES),
            category("site", "Atacama, La Palma, Mauna Kea, Tatra", verb="is located at"),
            real("aperture", 0.3, 9.8, LEVEL),
            number("built", 1950, 2021, "building year", TIME, "was built"),
        ),
        table(
            "star", "star", 50,
            key(),
            name("name", STARS),
            category("type", "binary, giant, pulsar, white dwarf", verb="is of the type"),
            real("magnitude", 0.1, 14, LEVEL),
            number("distance", 4, 900, scale=LENGTH, nulls=0.2),
        ),
        table(
            "observer", "observer", 26,
            key(),
            name("name", PEOPLE),
            category("country", COUNTRIES, verb="is from"),
            number("age", 22, 71, scale=LEVEL),
            ref("mentor_id", "observer", "students", "mentor", nulls=0.2),
        ),
        table(
            "sighting", "sighting", 180,
            key(),
            ref("scope_id", "telescope", "sightings", "telescope"),
            ref("star_id", "star", "sightings"),
            ref("observer_id", "observer", "sightings"),
            date("night", "2020-01-01", "2024-12-31", "date", "was made"),
            number("exposure", 1, 240, "exposure time", LENGTH),
            flag("cloudy"),
        ),
    ),
)  # fmt: skip
