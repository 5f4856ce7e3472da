"""Gold results in memory (`gold_cache`) and on disk (`gold_store`), for `sql_env.scoring.gold_results`."""
