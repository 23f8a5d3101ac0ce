{# On-run-start. The tables in which builds are remembered, beside those of landing. #}
{% macro create_run_tables() %}
    {% if execute and runs_nodes() %}
        {% call statement('run_tables', auto_begin=false) %}
            create schema if not exists landing;
            create table if not exists landing.builds (
                build_id varchar, command varchar, raw_dir varchar, areas varchar,
                is_full_refresh boolean, started_at timestamp, completed_at timestamp,
                n_nodes bigint, n_failed bigint, minimum_cell_size bigint
            );
            -- Warehouses of earlier versions lack it.
            alter table landing.builds add column if not exists minimum_cell_size bigint;
            create table if not exists landing.node_runs (
                build_id varchar, node_id varchar, node_name varchar, resource_type varchar,
                status varchar, duration_seconds double
            );
            create table if not exists landing.row_counts (
                build_id varchar, area varchar, relation_name varchar, column_name varchar,
                n_rows bigint, n_null bigint
            );
        {% endcall %}
    {% endif %}
{% endmacro %}


{# Whether a hook ends a build: other commands run hooks too, and what reads a part tells of no whole. #}
{% macro is_build() %}
    {{ return(execute and flags.WHICH in ['build', 'run'] and reads_all()) }}
{% endmacro %}


{#
    On-run-end. Remembers the build, its nodes and the size of what it built. Hooks also run with
    other commands, such as `dbt source freshness`, which build nothing. The cycles of a stream are
    not remembered: in minutes they would push out the builds that a table's size is compared with.
    Nor is a build that reads less than all: its sizes compare with nothing.
#}
{% macro record_build() %}
    {% if is_build() and not var('is_stream_cycle') %}
        {% set nodes = [] %}
        {% set built = [] %}
        {% for result in results if result.node.resource_type != 'operation' %}
            {% set node = result.node %}
            {% do nodes.append({
                'node_id': node.unique_id, 'node_name': node.name,
                'resource_type': node.resource_type | string, 'status': result.status | string,
                'duration_seconds': result.execution_time,
            }) %}
            {% if result.status == 'success' and node.resource_type in ['model', 'snapshot']
                and node.config.materialized not in ['view', 'ephemeral'] %}
                {% do built.append(node) %}
            {% endif %}
        {% endfor %}
        {% set failed = nodes | selectattr('status', 'in', ['error', 'fail', 'runtime error']) %}
        {% call statement('record_build', auto_begin=false) %}
            insert into landing.builds by name
            select
                '{{ invocation_id }}' as build_id, '{{ flags.WHICH }}' as command, raw_dir, areas,
                {{ flags.FULL_REFRESH | string | lower }} as is_full_refresh,
                timezone('UTC', '{{ run_started_at.isoformat() }}'::timestamptz) as started_at,
                timezone('UTC', now()) as completed_at,
                {{ nodes | length }} as n_nodes, {{ failed | list | length }} as n_failed,
                {{ var('minimum_cell_size') }} as minimum_cell_size
            from landing.warehouse_state;
            insert into landing.node_runs by name
            select
                '{{ invocation_id }}' as build_id,
                unnest(from_json({{ sql_text(tojson(nodes)) }}, '[{
                    "node_id": "varchar", "node_name": "varchar", "resource_type": "varchar",
                    "status": "varchar", "duration_seconds": "double"
                }]'), recursive := true);
            {% if built %}
                insert into landing.row_counts by name
                {{ row_counts(built) }};
            {% endif %}
        {% endcall %}
    {% endif %}
{% endmacro %}


{# One query: the rows of every table, and the blanks of every watched column. #}
{% macro row_counts(nodes) %}
    {% set counts = [] %}
    {% for node in nodes %}
        {% for column in [none] + watched_columns(node.unique_id) %}
            {% do counts.append(
                "select '" ~ invocation_id ~ "' as build_id, '" ~ area_of(node)
                ~ "' as area, '" ~ node.schema ~ '.' ~ node.name ~ "' as relation_name, "
                ~ ("'" ~ column ~ "'" if column else 'null::varchar') ~ ' as column_name, '
                ~ 'count(*) as n_rows, '
                ~ ('count(*) - count(' ~ column ~ ')' if column else 'null::bigint')
                ~ ' as n_null from ' ~ node.relation_name
            ) %}
        {% endfor %}
    {% endfor %}
    {{ return(counts | join('\nunion all\n')) }}
{% endmacro %}


{# Columns without which a record says little: their share of nulls is watched where they come in. #}
{% macro watched_columns(unique_id) %}
    {% set watched = [] %}
    {% set columns = graph.nodes[unique_id].columns.values() if execute else [] %}
    {% for column in columns if column.config.meta.watch %}
        {% do watched.append(column.name) %}
    {% endfor %}
    {{ return(watched) }}
{% endmacro %}
