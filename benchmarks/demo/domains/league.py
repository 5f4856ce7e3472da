"""A football league: teams, players who may be without one, and games of two teams."""

from benchmarks.demo.tables.table import TIME, Domain, category, date, key, name, number, ref, table
from benchmarks.demo.tables.vocabulary import COUNTRIES, PEOPLE, TEAMS

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
