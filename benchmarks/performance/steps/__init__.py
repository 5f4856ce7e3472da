"""Steps that correct answers need, and the cost and benefit of a step limit."""
