{# Before anything is built: find the raw files, scan them, and make one view per feed. #}
{% macro land_feeds() %}
    {% if execute and runs_nodes() %}
        {% do create_landing_tables() %}
        {% set state = run_query('select raw_dir, areas from landing.warehouse_state') %}
        {% set request = {
            'raw_dir': in_project(env_var('WARDHOUSE_RAW_DIR', 'seeds/sample')),
            'areas': env_var('WARDHOUSE_AREAS', ''),
            'feeds': declared_feeds(),
            'rules': reading_rules(),
            'state': {'raw_dir': state.rows[0][0], 'areas': state.rows[0][1].split(',')}
                if state.rows | length else none,
            'full_refresh': flags.FULL_REFRESH,
        } %}
        {% call statement('landing_request', auto_begin=false) %}
            create or replace temporary table landing_plan as
            select
                wardhouse_land(
                    {{ sql_text(tojson(request)) }},
                    (
                        select coalesce(to_json(list(landed)), '[]')::varchar
                        from (
                            select area, feed, source_file, fingerprint from landing.landed_files
                        ) as landed
                    ),
                    (
                        select coalesce(to_json(list(surveys)), '[]')::varchar
                        from landing.surveys
                    )
                )::json as plan;
        {% endcall %}
        {% set answer = run_query("
            select
                to_json({
                    error: plan -> 'error', raw_dir: plan -> 'raw_dir', areas: plan -> 'areas',
                    views: plan -> 'views'
                })::varchar
            from landing_plan
        ") %}
        {% set plan = fromjson(answer.rows[0][0]) %}
        {% if plan.error %}
            {{ exceptions.raise_compiler_error(plan.error) }}
        {% endif %}
        {% do apply_landing_plan(plan) %}
    {% endif %}
{% endmacro %}


{# Whether the command runs anything: dbt renders hooks, too, where it only compiles. #}
{% macro runs_nodes() %}
    {{ return(flags.WHICH in ['build', 'run', 'test', 'seed', 'snapshot', 'freshness']) }}
{% endmacro %}


{% macro declared_feeds() %}
    {% set feeds = [] %}
    {% for source in graph.sources.values() if source.schema.startswith('raw_') %}
        {% set columns = [] %}
        {% for column in source.columns.values() %}
            {% do columns.append({'name': column.name, 'meta': column.meta}) %}
        {% endfor %}
        {% do feeds.append({
            'area': source.source_name, 'name': source.name, 'meta': source.config.meta,
            'columns': columns,
        }) %}
    {% endfor %}
    {{ return(feeds | sort(attribute='name') | sort(attribute='area')) }}
{% endmacro %}


{#
    What else decides what models that keep rows make of them: when it changes, all is read again. Seeds
    are not in it: what their tables hold is compared when they are read.
#}
{% macro reading_rules() %}
    {% set models = [] %}
    {% for node in graph.nodes.values() | sort(attribute='name')
        if node.resource_type == 'model' and node.config.materialized.startswith('incremental_by_') %}
        {% set read = [node] + views_of(node) %}
        {% set macros = [node.config.materialized] %}
        {% for each in read %}
            {% for macro in each.depends_on.macros %}
                {% do macros.append(macro.split('.')[-1]) %}
            {% endfor %}
        {% endfor %}
        {% set sources = node.depends_on.nodes | select('in', graph.sources) | list %}
        {% set feed = graph.sources[sources[0]] if sources else none %}
        {% do models.append({
            'model': node.name,
            'area': feed.source_name if feed else none, 'feed': feed.name if feed else none,
            'code': read | map(attribute='raw_code') | join('\n'), 'macros': macros,
        }) %}
    {% endfor %}
    {{ return({
        'project_dir': invocation_args_dict.project_dir | string,
        'vars': invocation_args_dict.vars,
        'models': models,
    }) }}
{% endmacro %}


{# The views that a model reads, and those that these read. #}
{% macro views_of(node) %}
    {% set found = [] %}
    {% for name in node.depends_on.nodes | sort if name in graph.nodes %}
        {% set parent = graph.nodes[name] %}
        {% if parent.config.materialized == 'view' %}
            {% do found.extend([parent] + views_of(parent)) %}
        {% endif %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}


{# Tables that a landing plan fills: name, part of the plan, and columns. #}
{% macro planned_tables() %}
    {{ return([
        ('new_files', 'new_files', {
            'area': 'varchar', 'feed': 'varchar', 'source_file': 'varchar',
            'n_bytes': 'bigint', 'content_hash': 'varchar', 'fingerprint': 'varchar',
            'is_readable': 'boolean'}),
        ('gone_files', 'gone_files', {
            'area': 'varchar', 'feed': 'varchar', 'source_file': 'varchar',
            'fingerprint': 'varchar'}),
        ('model_rules', 'model_rules', {'model': 'varchar', 'rule': 'varchar'}),
        ('surveys', 'surveys', {
            'area': 'varchar', 'feed': 'varchar', 'source_file': 'varchar',
            'stat': 'varchar', 'signature': 'varchar', 'survey': 'varchar'}),
        ('current_unreadable', 'unreadable', {
            'area': 'varchar', 'feed': 'varchar', 'source_file': 'varchar',
            'line': 'bigint', 'error': 'varchar'}),
        ('undeclared_columns', 'undeclared', {
            'area': 'varchar', 'feed': 'varchar', 'source_file': 'varchar',
            'column_name': 'varchar'}),
        ('delivered_columns', 'delivered', {
            'area': 'varchar', 'feed': 'varchar', 'column_name': 'varchar'}),
        ('lacking_columns', 'lacking', {
            'area': 'varchar', 'feed': 'varchar', 'source_file': 'varchar',
            'column_name': 'varchar'}),
        ('feed_options', 'options', {
            'area': 'varchar', 'feed': 'varchar', 'option': 'varchar', 'value': 'varchar'}),
    ]) }}
{% endmacro %}


{% macro create_landing_tables() %}
    {% call statement('landing_tables', auto_begin=false) %}
        create schema if not exists landing;
        create table if not exists landing.exports (path varchar);
        create table if not exists landing.warehouse_state (raw_dir varchar, areas varchar);
        create table if not exists landing.landed_files (
            area varchar, feed varchar, source_file varchar, n_bytes bigint, content_hash varchar,
            fingerprint varchar, is_readable boolean, n_records bigint, landed_at timestamp
        );
        create table if not exists landing.unreadable_records (
            area varchar, feed varchar, source_file varchar, line bigint, error varchar,
            record_text varchar
        );
        {{ create_change_feed() }}
        {% for table, part, columns in planned_tables() %}
        create table if not exists landing.{{ table }} (
            {% for name, type in columns.items() %}{{ name }} {{ type }}{{ ', ' if not loop.last }}{% endfor %}
        );
        {% endfor %}
    {% endcall %}
{% endmacro %}


{% macro apply_landing_plan(plan) %}
    {% call statement('landing_plan', auto_begin=false) %}
        {% for table, part, columns in planned_tables() if table != 'surveys' or reads_all() %}
            delete from landing.{{ table }}
            {%- if table == 'surveys' %}
            -- To write those of a long stream again would cost each cycle more than the last.
            where source_file in (
                select unnest(from_json(plan -> 'outdated_surveys', '["varchar"]')) from landing_plan
            )
            {%- endif %};
            insert into landing.{{ table }} by name
            select unnest(from_json(plan -> '{{ part }}', {{ sql_text(tojson([columns])) }}), recursive := true)
            from landing_plan;
        {% endfor %}
        {% if reads_all() %}
        delete from landing.warehouse_state;
        insert into landing.warehouse_state
        values ({{ sql_text(plan.raw_dir) }}, {{ sql_text(plan.areas | join(',')) }});
        {% endif %}
        {% for view in plan.views %}
            create schema if not exists {{ view.schema }};
            create or replace view {{ view.schema }}.{{ view.name }} as
            {{ view.select }};
        {% endfor %}
        drop table landing_plan;
    {% endcall %}
{% endmacro %}


{% macro sql_text(text) %}
    {{- return("'" ~ text | replace("'", "''") ~ "'") -}}
{% endmacro %}


{% macro rows_as_dicts(query) %}
    {% set result = run_query(query) %}
    {% set rows = [] %}
    {% for row in result.rows %}
        {% do rows.append(dict(zip(result.column_names, row.values()))) %}
    {% endfor %}
    {{ return(rows) }}
{% endmacro %}
