"""A restaurant: orders of guests who may be unknown, and the dishes in them."""

from benchmarks.demo.tables.table import Domain, category, date, flag, key, name, number, real, ref, table
from benchmarks.demo.tables.vocabulary import DISHES, PEOPLE, TOWNS

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
