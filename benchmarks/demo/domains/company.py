"""A company: departments, employees with managers, projects, and who works on what."""

from benchmarks.demo.tables.table import LEVEL, Domain, category, date, flag, key, name, number, ref, table
from benchmarks.demo.tables.vocabulary import DEPARTMENTS, PEOPLE, PROJECTS

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
