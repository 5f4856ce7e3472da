"""Gold results in memory (`gold_cache`) and on disk (`gold_store`). `sql_env.scoring.golds` uses both."""
