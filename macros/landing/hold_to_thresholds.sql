{#
    On-run-start. What the loads of this run are held to: the seed as its file stands, for a load waits
    for no seed that decides nothing of its records; and the feeds of which every share is accepted.
#}
{% macro set_intake_thresholds() %}
    {% if execute and runs_nodes() %}
        {% set seed = graph.nodes['seed.' ~ project_name ~ '.intake_thresholds'] %}
        {% call statement('intake_thresholds', auto_begin=false) %}
            create or replace table landing.intake_thresholds as
            from read_csv(
                {{ sql_text(in_project(seed.original_file_path)) }},
                types = {{ tojson(seed.config.column_types) }}
            );
            create or replace table landing.accepted_feeds as
            select unnest({{ accepted_feeds() }}::varchar[]) as feed;
        {% endcall %}
    {% endif %}
{% endmacro %}


{# The feeds that var('accept_refused') names, each held against those that there are. #}
{% macro accepted_feeds() %}
    {% set given = var('accept_refused') %}
    {% set given = [given] if given is string else given %}
    {% set known = ['all'] %}
    {% for feed in declared_feeds() %}{% do known.append(feed.area ~ '.' ~ feed.name) %}{% endfor %}
    {% for feed in given if feed not in known %}
        {{ exceptions.raise_compiler_error(
            "accept_refused names '" ~ feed ~ "', which is no feed: give some of " ~ known | join(', ')
        ) }}
    {% endfor %}
    {{ return(given | list) }}
{% endmacro %}


{#
    After a feed was loaded, and before that is kept: stop where more of it was refused or could not
    be read than its threshold lets pass. The load is rolled back, so that nothing built of better
    records is replaced, and the next build reads the files again.
#}
{% macro hold_to_thresholds(feed) %}
    {% if not is_accepted(feed) %}
        {% set beyond = rows_as_dicts(
            'select * from (' ~ intake_shares([feed], 'landing.intake_thresholds')
            ~ ") where verdict = 'stop' order by measure, n_affected desc, column_name"
        ) %}
        {% if beyond %}
            {{ exceptions.raise_compiler_error(refusal(feed, beyond)) }}
        {% endif %}
    {% endif %}
{% endmacro %}


{# Whether a feed is built whatever its records are: var('accept_refused') names it, as each stream does. #}
{% macro is_accepted(feed) %}
    {{ return(run_query(
        "select count(*) from landing.accepted_feeds where feed in ('all', '" ~ feed | join('.') ~ "')"
    ).rows[0][0] > 0) }}
{% endmacro %}


{# Says of which records or values a load was refused, what is likely the cause, and what helps. #}
{% macro refusal(feed, beyond) %}
    {% set name = feed | join('.') %}
    {% set told = [] %}
    {% for row in beyond %}
        {% set reasons = commonest_reasons(feed) if row.measure == 'refused_records'
            else those_out_of_range(row.column_name) %}
        {% do told.append(share_in_words(row) ~ reasons) %}
    {% endfor %}
    {% set advice = run_query(
        "select wardhouse_advise((select raw_dir from landing.warehouse_state), "
        ~ sql_text(invocation_args_dict.project_dir | string) ~ ", '" ~ feed[0] ~ "', '" ~ feed[1] ~ "')"
    ).rows[0][0] %}
    {{ return(
        told | join('; ') ~ '. Nothing of this load is kept. ' ~ advice
        ~ " To build with it all the same: --vars '{accept_refused: [" ~ name ~ "]}'"
    ) }}
{% endmacro %}


{# One row of intake_shares as a sentence. #}
{% macro share_in_words(row) %}
    {% set counts = '{:,} of {:,}'.format(row.n_affected, row.n_values) %}
    {% if row.measure == 'refused_records' %}
        {{ return(row.area ~ '.' ~ row.feed ~ ': ' ~ counts ~ ' records were refused') }}
    {% endif %}
    {{ return(
        row.area ~ '.' ~ row.feed ~ ': ' ~ counts ~ ' values of ' ~ row.column_name
        ~ ' could not be read'
    ) }}
{% endmacro %}


{# Of values that could not be read, how many can be but lie out of the range of their column. #}
{% macro those_out_of_range(column) %}
    {% set n_values = run_query(
        'select count(*) from ' ~ this ~ " where not is_duplicate and list_contains(repairs, '"
        ~ column ~ ":out_of_range')"
    ).rows[0][0] %}
    {% if n_values %}
        {{ return(' ({:,} are out of the range that a variable of dbt_project.yml holds)'.format(n_values)) }}
    {% endif %}
    {{ return('') }}
{% endmacro %}


{% macro commonest_reasons(feed) %}
    {% set reasons = [] %}
    {% for row in run_query("
        select rejection_reason, count(*) as n_records
        from (
            select rejection_reason from " ~ this ~ " where not is_duplicate
            union all
            select error as rejection_reason from landing.unreadable_records where " ~ is_of_feed(feed) ~ "
        ) as refused
        where rejection_reason is not null
        group by rejection_reason
        order by n_records desc, rejection_reason
        limit 3
    ").rows %}
        {% do reasons.append(row[0] ~ ' {:,}'.format(row[1])) %}
    {% endfor %}
    {{ return(' (' ~ reasons | join(', ') ~ ')') }}
{% endmacro %}


{# On-run-end. Warns of shares that are beyond a threshold, as intake_shares has them. #}
{% macro warn_of_shares() %}
    {% if is_build() %}
        {% set built = results | selectattr('node.name', 'equalto', 'intake_shares')
            | selectattr('status', 'equalto', 'success') | list %}
        {% if built %}
            {% for row in rows_as_dicts(
                'select * from ' ~ built[0].node.relation_name
                ~ " where verdict <> 'fine' order by area, feed, measure, column_name"
            ) %}
                {% do exceptions.warn(
                    share_in_words(row) ~ ': `wardhouse inspect ' ~ env_var('WARDHOUSE_RAW_DIR', 'seeds/sample')
                    ~ '` shows examples, and the line for feeds.csv that would help'
                ) %}
            {% endfor %}
        {% endif %}
    {% endif %}
{% endmacro %}
