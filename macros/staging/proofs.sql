{#
    What proves that a feed is meant to be read by another setting: a value that cannot be read as it
    is set and can otherwise, of a setting that feeds.csv does not name. The build stops there before
    it replaces anything; a stream flags it and goes on.

    kind     how the columns are read: date, timestamp, amount or number
    further  each column, as "typed raw" where the two are not called alike
#}
{% macro other_settings(options, kind) -%}
    {%- set setting = 'date_order' if kind in ['date', 'timestamp'] else 'decimal_mark' -%}
    {%- set proofs = [] -%}
    {%- for column in varargs if setting not in options.get('declared', []) -%}
        {%- set text = 'raw.' ~ column.split(' ')[-1] -%}
        {%- set proof -%}
            case
                when {{ column.split(' ')[0] }} is null and not {{ is_blank(text) }}
                    and {{ read_by_setting(text, kind, options, true) }} is not null
                    and {{ read_by_setting(text, kind, options, false) }} is null
                    then '{{ column.split(' ')[-1] }}:other_{{ setting }}'
            end
        {%- endset -%}
        {%- do proofs.append(proof) -%}
    {%- endfor -%}
    {{ proofs | join(',\n') or 'null' }}
{%- endmacro %}


{# Of dates and times the day as people write it: any other form is the same in either order. #}
{% macro read_by_setting(text, kind, options, is_other) -%}
    {%- set order = 'mdy' if (options.date_order == 'dmy') == is_other else 'dmy' -%}
    {%- set mark = ',' if (options.decimal_mark == '.') == is_other else '.' -%}
    {%- if kind in ['date', 'timestamp'] -%}
        {{ read_dirty_date(text, order, options) }}
    {%- elif kind == 'amount' -%}
        {{ parse_amount(text, mark) }}
    {%- else -%}
        {{ parse_number(text, 2, mark) }}
    {%- endif -%}
{%- endmacro %}


{# Why a rating is refused that is beyond the scale, as a branch of a case. #}
{% macro beyond_scale(typed_column, options, raw_column=none) -%}
    {%- set low, high = scale_of(options) -%}
    when {{ typed_column }} not between {{ low }} and {{ high }}
        then '{{ raw_column or typed_column }}_outside_{{ low }}_to_{{ high }}'
{%- endmacro %}


{# A mean of the scale of a feed's answers, on the five points that thresholds are said in. #}
{% macro on_five_points(score, area, feed) -%}
    {%- set low, high = scale_of(feed_options(area, feed)) -%}
    {%- if (low, high) == (1, 5) -%}
        {{ score }}
    {%- else -%}
        (1 + 4 * ({{ score }} - {{ low }}) / {{ high - low }})
    {%- endif -%}
{%- endmacro %}


{% macro scale_of(options) %}
    {% set ends = options.get('scale', '1..5').split('..') %}
    {{ return((ends[0] | int, ends[1] | int)) }}
{% endmacro %}


{#
    After a load of a base model, before it is committed: stops where the records loaded prove another
    setting, or where too many ratings are beyond the scale.
#}
{% macro refuse_other_settings(feed, loaded) %}
    {% if not is_accepted(feed) %}
        {% set found = run_query("
            select
                count(*) filter (
                    len(list_filter(repairs, lambda repair : contains(repair, ':other_'))) > 0
                ),
                count(*) filter (contains(rejection_reason, '_outside_')),
                count(*) filter (rejection_reason is null or contains(rejection_reason, '_outside_'))
            from " ~ loaded ~ "
            where len(repairs) > 0 or contains(rejection_reason, '_outside_')
                or rejection_reason is null
        ").rows[0] %}
        {% if found[0] %}{% do refuse_proven_settings(feed) %}{% endif %}
        {% if found[2] >= var('minimum_records_for_share') and found[1] > var('maximum_share_beyond_scale') * found[2] %}
            {% do refuse_other_scale(feed, loaded, found) %}
        {% endif %}
    {% endif %}
{% endmacro %}


{# The values themselves are read again to see whether any speaks against what others prove. #}
{% macro refuse_proven_settings(feed) %}
    {% set request = {
        'area': feed[0], 'feed': feed[1], 'project_dir': invocation_args_dict.project_dir | string,
        'vars': invocation_args_dict.vars,
    } %}
    {% set refusal = run_query(
        "select wardhouse_proven_settings(raw_dir, " ~ sql_text(tojson(request))
        ~ ") from landing.warehouse_state"
    ).rows[0][0] %}
    {% if refusal %}{{ exceptions.raise_compiler_error(refusal) }}{% endif %}
{% endmacro %}


{# Names the smallest usual scale that would hold the refused ratings, all but one in twenty. #}
{% macro refuse_other_scale(feed, loaded, counts) %}
    {% if 'scale' not in feed_options(*feed).declared %}
        {% set ratings = run_query("
            with refused as (
                select try_cast(rejected_record ->> regexp_extract(
                    rejection_reason, '^(.*)_outside_', 1
                ) as double) as rating
                from " ~ loaded ~ "
                where contains(rejection_reason, '_outside_')
            )

            select quantile_cont(rating, 0.05), quantile_cont(rating, 0.95) from refused
        ").rows[0] %}
        {% set highest = [5, 7, 10, 100] | select('>=', ratings[1] or 0) | list %}
        {% set scale = (0 if (ratings[0] or 0) < 1 else 1) ~ '..' ~ (highest[0] if highest else '<highest>') %}
        {{ exceptions.raise_compiler_error(
            feed | join('.') ~ ': ' ~ counts[1] ~ ' of ' ~ counts[2] ~ ' answers lie beyond the scale '
            ~ scale_of(feed_options(*feed)) | join('..') ~ ': nothing of them is kept. If the scale is another, '
            ~ 'say so in feeds.csv, as by the line\n  ' ~ (feed + ['scale', scale]) | join(',')
            ~ '\nand name the scale as it is there to have such answers refused'
        ) }}
    {% endif %}
{% endmacro %}
