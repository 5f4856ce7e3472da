"""The functions and system views of DuckDB that a query may use. All others are refused.

A name that is not here is refused, also a function of a later version of DuckDB. To allow one, check that it
touches neither files nor settings, leaves nothing behind, and always returns the same for the same arguments.
Not here are

- functions that read or tell settings, paths, secrets, extensions or versions: ``current_setting``;
- functions that run a text as SQL, or that take names as texts: ``query``, ``query_table``, the table
  function ``histogram``, ``json_execute_serialized_sql``;
- functions that wait, or that write to the instance: ``sleep_ms``, ``write_log``, external resources;
- functions that depend on the connection or on earlier queries: ``current_query_id``, ``duckdb_types``;
- functions of DuckDB's own plans, which trust their arguments: ``create_sort_key``, ``finalize``.

``python -m pytest tests/sql_env/execution/engines/duckdb -m slow`` calls each allowed function.
"""

from __future__ import annotations


def _read_names(text: str) -> frozenset[str]:
    return frozenset(text.split())


SCALARS = _read_names("""
    abs acos acosh add age aggregate alias apply array_aggr array_aggregate array_apply array_cat
    array_concat array_contains array_cosine_distance array_cosine_similarity array_cross_product
    array_distance array_distinct array_dot_product array_extract array_filter array_grade_up array_has
    array_has_all array_has_any array_indexof array_inner_product array_intersect array_length
    array_negative_dot_product array_negative_inner_product array_position array_reduce array_resize
    array_reverse_sort array_select array_slice array_sort array_to_json array_transform array_unique
    array_value array_where array_zip ascii asin asinh atan atan2 atanh bar base64 bin binom bit_count
    bit_length bit_position bitstring can_cast_implicitly cardinality cast_to_type cbrt ceil ceiling century
    char_length character_length chr concat concat_ws contains cos cosh cot current_database current_date
    current_localtime current_localtimestamp current_schema current_schemas damerau_levenshtein date_diff
    date_part date_sub date_trunc datediff datepart datesub datetrunc day dayname dayofmonth dayofweek
    dayofyear decade decimal_division decode degrees divide editdist3 element_at encode ends_with enum_code
    enum_first enum_last enum_range enum_range_boundary epoch epoch_ms epoch_ns epoch_us equi_width_bins era
    error even exp factorial filter flatten floor format format_bytes formatreadabledecimalsize
    formatreadablesize from_base64 from_binary from_hex from_json from_json_strict gamma gcd gen_random_uuid
    generate_series get_bit get_current_time get_current_timestamp get_type grade_up greatest
    greatest_common_divisor hamming hash hex hour ilike_escape instr is_histogram_other_bin isfinite isinf
    isnan isodow isoyear jaccard jaro_similarity jaro_winkler_similarity json_array json_array_length
    json_contains json_deep_merge json_exists json_extract json_extract_path json_extract_path_text
    json_extract_string json_insert json_keys json_merge_patch json_merge_patch_diff json_normalize
    json_object json_pretty json_quote json_remove json_replace json_set json_strip_nulls json_structure
    json_transform json_transform_strict json_type json_valid json_value julian last_day lcase lcm least
    least_common_multiple left left_grapheme len length length_grapheme levenshtein lgamma like_escape
    list_aggr list_aggregate list_apply list_cat list_concat list_contains list_cosine_distance
    list_cosine_similarity list_distance list_distinct list_dot_product list_element list_extract
    list_filter list_grade_up list_has list_has_all list_has_any list_indexof list_inner_product
    list_intersect list_negative_dot_product list_negative_inner_product list_pack list_position list_reduce
    list_resize list_reverse_sort list_select list_slice list_sort list_transform list_unique list_value
    list_where list_zip ln log log10 log2 lower lpad ltrim make_date make_time make_timestamp
    make_timestamp_ms make_timestamp_ns make_timestamptz make_type map map_concat map_contains map_entries
    map_extract map_extract_value map_from_entries map_keys map_values md5 md5_number microsecond millennium
    millisecond minute mismatches mod month monthname multiply nanosecond nextafter nfc_normalize
    normalized_interval not_ilike_escape not_like_escape now octet_length ord overlay parse_dirname
    parse_dirpath parse_filename parse_formatted_bytes parse_path path_join pi position pow power prefix
    printf quarter radians random range reduce regexp_escape regexp_extract regexp_extract_all
    regexp_full_match regexp_matches regexp_replace regexp_split_to_array repeat replace replace_type
    reverse right right_grapheme round round_even roundbankers row row_to_json rpad rtrim second set_bit
    setseed sha1 sha256 sign signbit sin sinh split sqrt st_asbinary st_asgeojson st_astext st_aswkb
    st_aswkt st_crs st_geomfromgeojson st_geomfromwkb st_intersects_extent st_setcrs starts_with str_split
    str_split_regex strftime string_split string_split_regex string_to_array strip_accents strlen strpos
    strptime struct_concat struct_contains struct_extract struct_extract_at struct_has struct_indexof
    struct_insert struct_keys struct_pack struct_position struct_update struct_values substr substring
    substring_grapheme subtract suffix switch tan tanh time_bucket timezone timezone_hour timezone_minute
    to_base to_base64 to_binary to_centuries to_days to_decades to_hex to_hours to_json to_microseconds
    to_millennia to_milliseconds to_minutes to_months to_quarters to_seconds to_timestamp to_weeks to_years
    today transaction_timestamp translate trim trunc try_strptime typeof ucase unbin unhex unicode
    union_extract union_tag union_value unpivot_list upper url_decode url_encode uuid uuid_extract_timestamp
    uuid_extract_version uuidv4 variant_array_length variant_contains variant_exists variant_extract
    variant_extract_string variant_keys variant_normalize variant_to_parquet_variant variant_type
    variant_typeof vertex_extract week weekday weekofyear xor year yearweek
""")
"""Functions of one row."""

AGGREGATES = _read_names("""
    any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_max_null
    arg_max_nulls_last arg_min arg_min_null arg_min_nulls_last argmax argmin array_agg avg bit_and bit_or
    bit_xor bitstring_agg bool_and bool_or corr count count_if count_star countif covar_pop covar_samp
    decimal_average entropy favg first fsum group_concat histogram histogram_exact kahan_sum kurtosis
    kurtosis_pop last list listagg lttb mad max max_by mean median min min_by mode product quantile
    quantile_cont quantile_disc regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx
    regr_sxy regr_syy reservoir_quantile sem skewness stddev stddev_pop stddev_samp string_agg sum
    sum_no_overflow sumkahan var_pop var_samp variance variant_group_object
    cume_dist dense_rank fill first_value lag last_value lead nth_value ntile percent_rank rank rank_dense
    row_number
""")
"""Aggregate and window functions."""

MACROS = _read_names("""
    ago array_append array_pop_back array_pop_front array_prepend array_push_back array_push_front
    array_reverse array_to_string array_to_string_comma_default assert_true col_description current_catalog
    current_role current_user date_add days_in_month fdiv fmod format_pg_type format_type
    generate_subscripts geomean geometric_mean has_any_column_privilege has_column_privilege
    has_database_privilege has_foreign_data_wrapper_privilege has_function_privilege has_language_privilege
    has_schema_privilege has_sequence_privilege has_server_privilege has_table_privilege
    has_tablespace_privilege if json json_group_array json_group_object json_group_structure list_any_value
    list_append list_approx_count_distinct list_avg list_bit_and list_bit_or list_bit_xor list_bool_and
    list_bool_or list_count list_entropy list_first list_histogram list_kurtosis list_kurtosis_pop list_last
    list_mad list_max list_median list_min list_mode list_prepend list_product list_reverse list_sem
    list_skewness list_stddev_pop list_stddev_samp list_string_agg list_sum list_var_pop list_var_samp
    map_contains_entry map_contains_value map_to_pg_oid md5_number_lower md5_number_upper nullif
    obj_description pg_collation_is_visible pg_conversion_is_visible pg_function_is_visible
    pg_get_constraintdef pg_get_expr pg_get_viewdef pg_has_role pg_is_other_temp_schema pg_my_temp_schema
    pg_opclass_is_visible pg_operator_is_visible pg_opfamily_is_visible pg_size_pretty pg_table_is_visible
    pg_ts_config_is_visible pg_ts_dict_is_visible pg_ts_parser_is_visible pg_ts_template_is_visible
    pg_type_is_visible pg_typeof regexp_split_to_table session_user shobj_description split_part user
    variant_group_array wavg weighted_avg
""")
"""Macros of DuckDB itself."""

COLLATIONS = ("collate_", "icu_collate_")
"""The first letters of the functions that collations use, one for each language."""

TABLE_FUNCTIONS = _read_names("""
    duckdb_columns duckdb_constraints duckdb_indexes duckdb_tables duckdb_views generate_series json_each
    json_tree pragma_show pragma_table_info range repeat repeat_row summary unnest
""")
"""Functions in FROM."""

VIEWS = _read_names("""
    character_sets check_constraints columns constraint_column_usage constraint_table_usage duckdb_columns
    duckdb_constraints duckdb_indexes duckdb_schemas duckdb_tables duckdb_views key_column_usage pg_attrdef
    pg_attribute pg_class pg_constraint pg_description pg_index pg_indexes pg_namespace pg_tables pg_views
    referential_constraints schemata sqlite_master sqlite_schema sqlite_temp_master sqlite_temp_schema
    table_constraints tables views
""")
"""Views of DuckDB itself, which tell the tables and columns of the database."""

CHANCE = _read_names("gen_random_uuid random sample tablesample uuid uuidv4")
"""Words of queries whose results depend on the seed."""

_INSTANT = "TIMESTAMPTZ '2025-01-01 00:00:00+00'"
_CLOCKS = {
    "age": "(x) AS system.main.age(TIMESTAMP '2025-01-01', x), (x, y) AS system.main.age(x, y)",
    "current_date": "() AS DATE '2025-01-01'",
    "current_localtime": "() AS TIME '00:00:00'",
    "current_localtimestamp": "() AS TIMESTAMP '2025-01-01'",
    "get_current_time": "() AS TIMETZ '00:00:00+00'",
    "get_current_timestamp": f"() AS {_INSTANT}",
    "now": f"() AS {_INSTANT}",
    "today": "() AS DATE '2025-01-01'",
    "transaction_timestamp": f"() AS {_INSTANT}",
}

CLOCK_MACROS = {name: f"CREATE TEMP MACRO {name}{body}" for name, body in _CLOCKS.items()}
"""Temporary macros that hide the functions of the clock. The time is that of the SQLite engine."""

CLOCK_WORDS = {name: name for name in _CLOCKS} | {
    "ago": "get_current_timestamp",
    "current_time": "get_current_time",
    "current_timestamp": "get_current_timestamp",
    "localtime": "current_localtime",
    "localtimestamp": "current_localtimestamp",
}
"""The function of the clock that each word calls."""
