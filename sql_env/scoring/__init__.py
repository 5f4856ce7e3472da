"""From completions to scores: scorer, gold results, rubric."""
