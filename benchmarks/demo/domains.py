"""The ten domains, as data: what they hold, and what to call it in English."""

from __future__ import annotations

from benchmarks.demo.table import (
    LENGTH,
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
from benchmarks.demo.vocabulary import (
    AIRPORTS,
    ARTWORKS,
    BOOKS,
    CITIES,
    COUNTRIES,
    DEPARTMENTS,
    DISHES,
    EXHIBITS,
    FILMS,
    PEOPLE,
    PLANTS,
    PROJECTS,
    STARS,
    TAILS,
    TEAMS,
    TELESCOPES,
    TOWNS,
)

CLINIC = Domain(
    "clinic",
    (
        table(
            "doctor", "doctor", 20,
            key(),
            name("name", PEOPLE),
            category("specialty", "cardiology, neurology, oncology, pediatrics, surgery"),
            number("salary", 52, 190),
            date("hired", "2005-01-01", "2023-12-31", "hiring date"),
            ref("boss_id", "doctor", "direct reports", "boss", nulls=0.2),
        ),
        table(
            "patient", "patient", 70,
            key(),
            name("name", PEOPLE),
            category("city", CITIES),
            date("born", "1940-01-01", "2015-12-31", "birth date"),
            flag("insured"),
            number("weight", 38, 130, nulls=0.15),
        ),
        table(
            "visit", "visit", 170,
            key(),
            ref("patient_id", "patient", "visits"),
            ref("doctor_id", "doctor", "visits"),
            date("day", "2021-01-01", "2024-12-31", "date"),
            number("cost", 20, 480),
            number("rating", 1, 10, nulls=0.25),
        ),
    ),
)  # fmt: skip

LIBRARY = Domain(
    "library",
    (
        table(
            "author", "author", 24,
            key(),
            name("name", PEOPLE),
            category("country", COUNTRIES),
            number("birth_year", 1850, 1995, "birth year", TIME, nulls=0.1),
        ),
        table(
            "book", "book", 80,
            key(),
            name("title", BOOKS),
            ref("author_id", "author", "books"),
            category("genre", "crime, drama, essay, fantasy, poetry, travel"),
            number("pages", 60, 900, "page count", nulls=0.1),
            number("year", 1900, 2023, "publication year", TIME),
        ),
        table(
            "member", "member", 40,
            key(),
            name("name", PEOPLE),
            category("town", TOWNS),
            date("joined", "2015-01-01", "2023-12-31", "joining date"),
        ),
        table(
            "loan", "loan", 160,
            ref("member_id", "member", "loans"),
            ref("book_id", "book", "loans"),
            date("lent", "2022-01-01", "2024-09-30", "lending date"),
            date("returned", "2022-01-01", "2024-12-31", "return date", nulls=0.2, after="lent"),
            key="member_id book_id",
        ),
    ),
)  # fmt: skip

AIRLINE = Domain(
    "airline",
    (
        table(
            "airport", "airport", len(AIRPORTS),
            key("code", tuple(AIRPORTS)),
            name("city", tuple(AIRPORTS.values())),
            flag("hub", "a hub"),
            number("gates", 4, 160, "number of gates"),
            number("elevation", 1, 2200, nulls=0.15),
        ),
        table(
            "plane", "plane", len(TAILS),
            key(),
            name("tail", TAILS),
            category("model", "A320, A350, B737, B777, E190"),
            number("seats", 90, 420, "number of seats"),
            date("built", "1998-01-01", "2022-12-31", "building date"),
        ),
        table(
            "flight", "flight", 190,
            key(),
            ref("origin", "airport", "departing flights", "origin airport"),
            ref("dest", "airport", "arriving flights", "destination airport"),
            ref("plane_id", "plane", "flights", nulls=0.12),
            date("day", "2022-01-01", "2024-12-31", "date"),
            number("minutes", 45, 840, "flying time", LENGTH),
            number("fare", 30, 990),
            flag("cancelled"),
        ),
    ),
)  # fmt: skip

LEAGUE = Domain(
    "league",
    (
        table(
            "team", "team", len(TEAMS),
            key(),
            name("name", TEAMS),
            category("region", "centre, coast, north, south"),
            number("founded", 1880, 1995, "founding year", TIME),
            number("budget", 3, 240, nulls=0.15),
        ),
        table(
            "player", "player", 150,
            key(),
            name("name", PEOPLE),
            ref("team_id", "team", "players", nulls=0.08),
            category("position", "defender, goalkeeper, midfielder, striker"),
            category("nation", COUNTRIES),
            date("born", "1984-01-01", "2006-12-31", "birth date"),
            number("goals", 0, 160, "number of goals"),
        ),
        table(
            "game", "game", 130,
            key(),
            ref("home_id", "team", "home games", "home team"),
            ref("away_id", "team", "away games", "away team"),
            date("day", "2021-08-01", "2024-05-31", "date"),
            number("home_goals", 0, 7, "number of home goals"),
            number("away_goals", 0, 6, "number of away goals"),
            number("crowd", 300, 9900, "attendance", nulls=0.12),
        ),
    ),
)  # fmt: skip

RESTAURANT = Domain(
    "restaurant",
    (
        table(
            "dish", "dish", len(DISHES),
            key(),
            name("name", DISHES),
            category("course", "dessert, main, side, soup, starter"),
            real("price", 3, 32),
            flag("vegan"),
            number("calories", 90, 1200, "calorie count", nulls=0.15),
            many="dishes",
        ),
        table(
            "guest", "guest", 45,
            key(),
            name("name", PEOPLE),
            category("town", TOWNS, nulls=0.1),
            date("since", "2016-01-01", "2023-12-31", "sign-up date"),
        ),
        table(
            "orders", "order", 140,
            key(),
            ref("guest_id", "guest", "orders", nulls=0.12),
            date("day", "2022-01-01", "2024-12-31", "date"),
            real("tip", 0.5, 25, nulls=0.2),
            flag("takeaway"),
        ),
        table(
            "item", "order item", 220,
            ref("order_id", "orders", "order items", "order"),
            ref("dish_id", "dish", "order items"),
            number("quantity", 1, 9),
            key="order_id dish_id",
        ),
    ),
)  # fmt: skip

COMPANY = Domain(
    "company",
    (
        table(
            "dept", "department", len(DEPARTMENTS),
            key(),
            name("name", DEPARTMENTS),
            number("floor", 1, 12),
            number("budget", 100, 990),
        ),
        table(
            "staff", "employee", 90,
            key(),
            name("name", PEOPLE),
            ref("dept_id", "dept", "employees", "department", nulls=0.06),
            ref("manager_id", "staff", "direct reports", "manager", nulls=0.1),
            category("job", "analyst, clerk, designer, engineer, manager"),
            number("salary", 24, 140),
            date("hired", "2008-01-01", "2024-06-30", "hiring date"),
            flag("remote"),
        ),
        table(
            "project", "project", 34,
            key(),
            name("title", PROJECTS),
            ref("dept_id", "dept", "projects", "department"),
            date("started", "2019-01-01", "2023-12-31", "start date"),
            date("ended", "2019-01-01", "2024-12-31", "end date", nulls=0.25, after="started"),
            number("cost", 10, 850),
        ),
        table(
            "work", "assignment", 160,
            ref("staff_id", "staff", "assignments", "employee"),
            ref("project_id", "project", "assignments"),
            number("hours", 2, 320, "number of hours"),
            key="staff_id project_id",
        ),
    ),
)  # fmt: skip

FESTIVAL = Domain(
    "festival",
    (
        table(
            "director", "director", 26,
            key(),
            name("name", PEOPLE),
            category("country", COUNTRIES),
            number("birth_year", 1938, 1998, "birth year", TIME, nulls=0.1),
        ),
        table(
            "film", "film", 64,
            key(),
            name("title", FILMS),
            ref("director_id", "director", "films"),
            category("genre", "animation, comedy, documentary, drama, thriller"),
            number("minutes", 52, 210, "running time", LENGTH),
            date("released", "2018-01-01", "2024-08-31", "release date"),
            number("budget", 1, 190, nulls=0.2),
        ),
        table(
            "screening", "screening", 150,
            key(),
            ref("film_id", "film", "screenings"),
            category("hall", "Apollo, Lumière, Odeon, Rex"),
            date("day", "2023-09-01", "2024-12-31", "date"),
            number("tickets", 0, 420, "number of tickets"),
            real("price", 5, 19),
        ),
        table(
            "award", "award", 50,
            ref("film_id", "film", "awards"),
            category("prize", "audience prize, best actor, best script, critics' prize, grand prize"),
            number("year", 2018, 2024, scale=TIME),
            key="film_id prize year",
        ),
    ),
)  # fmt: skip

GRID = Domain(
    "grid",
    (
        table(
            "plant", "power plant", 38,
            key(),
            name("name", PLANTS),
            category("fuel", "coal, gas, hydro, solar, wind"),
            category("region", "Ångermanland, Bohemia, Galicia, Württemberg"),
            number("capacity", 5, 940),
            date("opened", "1962-01-01", "2022-12-31", "opening date"),
            flag("active"),
        ),
        table(
            "line", "power line", 90,
            ref("from_id", "plant", "outgoing lines", "start plant"),
            ref("to_id", "plant", "incoming lines", "end plant"),
            number("length", 3, 260, scale=LENGTH),
            number("voltage", 60, 420, nulls=0.1),
            key="from_id to_id",
        ),
        table(
            "outage", "outage", 140,
            key(),
            ref("plant_id", "plant", "outages", "power plant"),
            date("began", "2019-01-01", "2024-12-31", "beginning date"),
            number("hours", 1, 96, "duration", LENGTH, nulls=0.15),
            category("cause", "flood, human error, ice, storm, wear"),
        ),
    ),
)  # fmt: skip

MUSEUM = Domain(
    "museum",
    (
        table(
            "artist", "artist", 30,
            key(),
            name("name", PEOPLE),
            category("country", COUNTRIES),
            number("birth_year", 1780, 1985, "birth year", TIME),
            number("death_year", 1850, 2023, "death year", TIME, nulls=0.3),
        ),
        table(
            "work", "artwork", 80,
            key(),
            name("title", ARTWORKS),
            ref("artist_id", "artist", "artworks", nulls=0.12),
            category("medium", "bronze, drawing, oil, photograph, woodcut"),
            number("year", 1800, 2022, "creation year", TIME),
            number("value", 2, 980, nulls=0.2),
        ),
        table(
            "exhibit", "exhibition", 22,
            key(),
            name("title", EXHIBITS),
            date("opened", "2017-01-01", "2023-12-31", "opening date"),
            date("closed", "2017-01-01", "2024-12-31", "closing date", nulls=0.15, after="opened"),
            number("visitors", 400, 9800, "number of visitors"),
        ),
        table(
            "display", "display", 130,
            ref("exhibit_id", "exhibit", "displays", "exhibition"),
            ref("work_id", "work", "displays", "artwork"),
            category("room", "Atrium, East Wing, King's Hall, Salon Écru"),
            key="exhibit_id work_id",
        ),
    ),
)  # fmt: skip

OBSERVATORY = Domain(
    "observatory",
    (
        table(
            "telescope", "telescope", len(TELESCOPES),
            key(),
            name("name", TELESCOPES),
            category("site", "Atacama, La Palma, Mauna Kea, Tatra"),
            real("aperture", 0.3, 9.8),
            number("built", 1950, 2021, "building year", TIME),
        ),
        table(
            "star", "star", 50,
            key(),
            name("name", STARS),
            category("type", "binary, giant, pulsar, white dwarf"),
            real("magnitude", 0.1, 14),
            number("distance", 4, 900, scale=LENGTH, nulls=0.2),
        ),
        table(
            "observer", "observer", 26,
            key(),
            name("name", PEOPLE),
            category("country", COUNTRIES),
            number("age", 22, 71),
            ref("mentor_id", "observer", "students", "mentor", nulls=0.2),
        ),
        table(
            "sighting", "sighting", 180,
            key(),
            ref("scope_id", "telescope", "sightings", "telescope"),
            ref("star_id", "star", "sightings"),
            ref("observer_id", "observer", "sightings"),
            date("night", "2020-01-01", "2024-12-31", "date"),
            number("exposure", 1, 240, "exposure time", LENGTH),
            flag("cloudy"),
        ),
    ),
)  # fmt: skip

DOMAINS = (
    CLINIC, LIBRARY, AIRLINE, LEAGUE, RESTAURANT, COMPANY, FESTIVAL, GRID, MUSEUM, OBSERVATORY,
)  # fmt: skip
