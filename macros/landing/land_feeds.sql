{# Before anything is built: find the raw files, judge them, and make one view per feed. #}
{% macro land_feeds() %}
    {% if execute %}
        {% do create_landing_tables() %}
        {% set state = run_query('select raw_dir, areas from landing.warehouse_state') %}
        {% set request = {
            'raw_dir': env_var('WARDHOUSE_RAW_DIR', 'seeds/sample'),
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
                    views: plan -> 'views', is_other_directory: plan -> 'is_other_directory'
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
    What else decides how a feed is read: when it changes, the feed's files are read again. Models that
    keep rows made of any feed take keys and words from seeds: a change of these counts for all feeds.
#}
{% macro reading_rules() %}
    {% set kept = [] %}
    {% set models = [] %}
    {% for node in graph.nodes.values() | sort(attribute='name')
        if node.resource_type == 'model' and node.config.materialized.startswith('incremental') %}
        {% set seeds = [] %}
        {% for seed in node.depends_on.nodes | sort if seed.startswith('seed.') %}
            {% do seeds.append(graph.nodes[seed].checksum.checksum) %}
        {% endfor %}
        {% set sources = node.depends_on.nodes | select('in', graph.sources) | list %}
        {% if node.name.startswith('base_') %}
            {% set macros = [node.config.materialized] %}
            {% for macro in node.depends_on.macros %}
                {% do macros.append(macro.split('.')[-1]) %}
            {% endfor %}
            {% do models.append({
                'area': graph.sources[sources[0]].source_name, 'feed': graph.sources[sources[0]].name,
                'code': node.raw_code, 'macros': macros, 'seeds': seeds,
            }) %}
        {% else %}
            {% do kept.extend(seeds) %}
        {% endif %}
    {% endfor %}
    {% for each in models %}{% do each.seeds.extend(kept | unique | sort) %}{% endfor %}
    {{ return({
        'project_dir': invocation_args_dict.project_dir | string,
        'vars': invocation_args_dict.vars,
        'models': models,
    }) }}
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
        ('surveys', 'surveys', {
            'area': 'varchar', 'feed': 'varchar', 'source_file': 'varchar',
            'stat': 'varchar', 'signature': 'varchar', 'survey': 'varchar'}),
        ('current_unreadable', 'unreadable', {
            'area': 'varchar', 'feed': 'varchar', 'source_file': 'varchar',
            'line': 'bigint', 'error': 'varchar', 'record_text': 'varchar'}),
        ('undeclared_columns', 'undeclared', {
            'area': 'varchar', 'feed': 'varchar', 'source_file': 'varchar',
            'column_name': 'varchar'}),
        ('delivered_columns', 'delivered', {
            'area': 'varchar', 'feed': 'varchar', 'column_name': 'varchar'}),
        ('feed_options', 'options', {
            'area': 'varchar', 'feed': 'varchar', 'option': 'varchar', 'value': 'varchar'}),
    ]) }}
{% endmacro %}


{% macro create_landing_tables() %}
    {% call statement('landing_tables', auto_begin=false) %}
        create schema if not exists landing;
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
    {% if plan.is_other_directory or flags.FULL_REFRESH %}
        {% do forget_everything(plan.is_other_directory) %}
    {% endif %}
    {% call statement('landing_plan', auto_begin=false) %}
        {% for table, part, columns in planned_tables() %}
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
        delete from landing.warehouse_state;
        insert into landing.warehouse_state
        values ({{ sql_text(plan.raw_dir) }}, {{ sql_text(plan.areas | join(',')) }});
        {% for view in plan.views %}
            create schema if not exists {{ view.schema }};
            create or replace view {{ view.schema }}.{{ view.name }} as
            {{ view.select }};
        {% endfor %}
        drop table landing_plan;
    {% endcall %}
{% endmacro %}


{# A full refresh starts snapshots anew; another raw directory starts everything anew. #}
{% macro forget_everything(is_other_directory) %}
    {% set kept = ['information_schema', 'pg_catalog', 'landing', 'change_feed', 'main'] %}
    {% set schemas = run_query(
        "select schema_name from duckdb_schemas() where database_name = current_database() "
        ~ "and not internal order by all"
    ).columns[0].values() %}
    {# Through the adapter, whose cache would else miss that dbt's schemas are empty. #}
    {% for schema in schemas if schema not in kept
        and (is_other_directory or schema == 'snapshots') %}
        {% set relation = api.Relation.create(database=target.database, schema=schema) %}
        {% do adapter.drop_schema(relation) %}
        {% do adapter.create_schema(relation) %}
    {% endfor %}
    {% call statement('forget', auto_begin=false) %}
        delete from landing.landed_files where {{ is_other_directory }};
        delete from landing.unreadable_records where {{ is_other_directory }};
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
