"""A clinic: doctors with bosses, patients, and visits that may lack a rating."""

from benchmarks.demo.tables.table import LEVEL, Domain, category, date, flag, key, name, number, ref, table
from benchmarks.demo.tables.vocabulary import CITIES, PEOPLE

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
