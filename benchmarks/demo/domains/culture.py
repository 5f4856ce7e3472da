"""Domains of culture and science: film festival, football league, library, museum and observatory."""

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
from benchmarks.demo.tables.vocabulary import (
    ARTWORKS,
    BOOKS,
    COUNTRIES,
    EXHIBITS,
    FILMS,
    PEOPLE,
    STARS,
    TEAMS,
    TELESCOPES,
    TOWNS,
)

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
"""A film festival: directors, films, screenings and awards."""

LEAGUE = Domain(
    "league",
    (
        table(
            "team", "team", len(TEAMS),
            key(),
            name("name", TEAMS),
            category("region", "centre, coast, north, south", verb="is from the region"),
            number("founded", 1880, 1995, "founding year", TIME, "was founded"),
            number("budget", 3, 240, nulls=0.15),
        ),
        table(
            "player", "player", 150,
            key(),
            name("name", PEOPLE),
            ref("team_id", "team", "players", nulls=0.08),
            category("position", "defender, goalkeeper, midfielder, striker", verb="is playing as"),
            category("nation", COUNTRIES, verb="is from"),
            date("born", "1984-01-01", "2006-12-31", "birth date", "was born"),
            number("goals", 0, 160, "number of goals"),
        ),
        table(
            "game", "game", 130,
            key(),
            ref("home_id", "team", "home games", "home team"),
            ref("away_id", "team", "away games", "away team"),
            date("day", "2021-08-01", "2024-05-31", "date", "was played"),
            number("home_goals", 0, 7, "number of home goals"),
            number("away_goals", 0, 6, "number of away goals"),
            number("crowd", 300, 9900, "attendance", nulls=0.12),
        ),
    ),
)  # fmt: skip
"""A football league: teams, players who may be without one, and games of two teams."""

LIBRARY = Domain(
    "library",
    (
        table(
            "author", "author", 24,
            key(),
            name("name", PEOPLE),
            category("country", COUNTRIES, verb="is from"),
            number("birth_year", 1850, 1995, "birth year", TIME, "was born", nulls=0.1),
        ),
        table(
            "book", "book", 80,
            key(),
            name("title", BOOKS),
            ref("author_id", "author", "books"),
            category("genre", "crime, drama, essay, fantasy, poetry, travel", verb="is of the genre"),
            number("pages", 60, 900, "page count", nulls=0.1),
            number("year", 1900, 2023, "publication year", TIME, "was published"),
        ),
        table(
            "member", "member", 40,
            key(),
            name("name", PEOPLE),
            category("town", TOWNS, verb="is from"),
            date("joined", "2015-01-01", "2023-12-31", "joining date", "joined"),
        ),
        table(
            "loan", "loan", 160,
            ref("member_id", "member", "loans"),
            ref("book_id", "book", "loans"),
            date("lent", "2022-01-01", "2024-09-30", "lending date", "was made"),
            date("returned", "2022-01-01", "2024-12-31", "return date", "was returned", 0.2, after="lent"),
            key="member_id book_id",
        ),
    ),
)  # fmt: skip
"""A library: members borrow books; a loan has a composite key and can still be open."""

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
"""A museum: artworks, some by unknown artists, and the exhibitions that show them."""

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
"""An observatory: telescopes, stars, observers with mentors, and who saw what with which."""
