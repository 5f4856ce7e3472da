"""Domains of services and companies: airline, clinic, company, power grid and restaurant."""

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
    real,
    ref,
    table,
)
from benchmarks.demo.tables.vocabulary import (
    AIRPORTS,
    CITIES,
    DEPARTMENTS,
    DISHES,
    PEOPLE,
    PLANTS,
    PROJECTS,
    TAILS,
    TOWNS,
)

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
"""An airline: flights between two airports, keyed by code, with or without an assigned plane."""

CLINIC = Domain(
    "clinic",
    (
        table(
            "doctor", "doctor", 20,
            key(),
            name("name", PEOPLE),
            category(
                "specialty", "cardiology, neurology, oncology, pediatrics, surgery", verb="is specialised in",
            ),
            number("salary", 52, 190),
            date("hired", "2005-01-01", "2023-12-31", "hiring date", "was hired"),
            ref("boss_id", "doctor", "direct reports", "boss", nulls=0.2),
        ),
        table(
            "patient", "patient", 70,
            key(),
            name("name", PEOPLE),
            category("city", CITIES, verb="is from"),
            date("born", "1940-01-01", "2015-12-31", "birth date", "was born"),
            flag("insured"),
            number("weight", 38, 130, scale=LEVEL, nulls=0.15),
        ),
        table(
            "visit", "visit", 170,
            key(),
            ref("patient_id", "patient", "visits"),
            ref("doctor_id", "doctor", "visits"),
            date("day", "2021-01-01", "2024-12-31", "date", "was made"),
            number("cost", 20, 480),
            number("rating", 1, 10, scale=LEVEL, nulls=0.25),
        ),
    ),
)  # fmt: skip
"""A clinic: doctors with bosses, patients, and visits with or without a rating."""

COMPANY = Domain(
    "company",
    (
        table(
            "dept", "department", len(DEPARTMENTS),
            key(),
            name("name", DEPARTMENTS),
            number("floor", 1, 12, scale=LEVEL),
            number("budget", 100, 990),
        ),
        table(
            "staff", "employee", 90,
            key(),
            name("name", PEOPLE),
            ref("dept_id", "dept", "employees", "department", nulls=0.06),
            ref("manager_id", "staff", "direct reports", "manager", nulls=0.1),
            category("job", "analyst, clerk, designer, engineer, manager", verb="is employed as"),
            number("salary", 24, 140),
            date("hired", "2008-01-01", "2024-06-30", "hiring date", "was hired"),
            flag("remote"),
        ),
        table(
            "project", "project", 34,
            key(),
            name("title", PROJECTS),
            ref("dept_id", "dept", "projects", "department"),
            date("started", "2019-01-01", "2023-12-31", "start date", "started"),
            date("ended", "2019-01-01", "2024-12-31", "end date", "ended", nulls=0.25, after="started"),
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
"""A company: departments, employees with managers, projects, and their assignments."""

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
"""A power grid: plants, the lines between two of them, and outages."""

RESTAURANT = Domain(
    "restaurant",
    (
        table(
            "dish", "dish", len(DISHES),
            key(),
            name("name", DISHES),
            category("course", "dessert, main, side, soup, starter", verb="is served as"),
            real("price", 3, 32),
            flag("vegan"),
            number("calories", 90, 1200, "calorie count", nulls=0.15),
            many="dishes",
        ),
        table(
            "guest", "guest", 45,
            key(),
            name("name", PEOPLE),
            category("town", TOWNS, verb="is from", nulls=0.1),
            date("since", "2016-01-01", "2023-12-31", "sign-up date", "signed up"),
        ),
        table(
            "orders", "order", 140,
            key(),
            ref("guest_id", "guest", "orders", nulls=0.12),
            date("day", "2022-01-01", "2024-12-31", "date", "was placed"),
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
"""A restaurant: orders of guests who may be unknown, and the dishes in them."""
