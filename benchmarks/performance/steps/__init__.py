"""How many steps correct answers need, and what a budget of steps costs and saves."""
