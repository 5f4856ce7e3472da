"""A library: members borrow books; a loan has a composite key and may not be over."""

from benchmarks.demo.tables.table import TIME, Domain, category, date, key, name, number, ref, table
from benchmarks.demo.tables.vocabulary import BOOKS, COUNTRIES, PEOPLE, TOWNS

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
