{#
    Incremental models that read only what changed. A model publishes each of its loads: which
    values of a column stand in rows that are new, gone or other than before. A follower remembers
    the last load of each column that it has taken in; where it missed one, it starts anew.

    key         the follower's column, or expression, that the published values are values of
    follows     what it follows, as '<model>.<column>'
    rebuilt_by  the same, of which any change starts the follower anew
    publishes   its own columns, or expressions, by which others follow it in turn; or dictionaries
                of `column`, `moment`: a moment whose day all rows of one value have, and `told`: an
                expression of what followers take from a row, for they need not know of the rest
    moment      of its key the same, where all that it follows is published so: rows are looked for
                on the days that changed
#}
{% macro follow_changes(key, follows, rebuilt_by=[], publishes=[], moment='') %}
    {% set published = [] %}
    {% for each in publishes %}
        {% do published.append({'column': each} if each is string else each) %}
    {% endfor %}
    {{ config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook="{{ forget_changed_rows() }}",
        post_hook="{{ remember_followed() }}",
        meta={
            'key': key, 'follows': follows, 'rebuilt_by': rebuilt_by, 'publishes': published,
            'moment': moment,
        },
    ) }}
{% endmacro %}


{#
    Follows an imported relation: keeps the rows to be made anew, all of them in a full build. In a
    large table, named again as `of`, they are looked up by the key alone first, so that the other
    columns are read where they are and not throughout.
#}
{% macro only_changed(column=none, of=none, moment='') -%}
    {%- if is_incremental() -%}
        {%- set key = column or model.config.meta.key -%}
        {%- set pending = pending_changes() if execute else 'all' -%}
        {%- if pending == 'some' and of -%}
            where rowid in (select rowid from {{ of }} where {{ is_changed(key, moment) }})
        {%- elif pending == 'some' -%}
            where {{ is_changed(key, moment) }}
        {%- elif pending == 'none' -%}
            where false
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}


{#
    Follows an imported staging view, as only_changed a large table. A view has no row numbers, so
    rows are looked up in the base table that it filters.
#}
{% macro changed_records(view, moment='') -%}
    {%- if is_incremental() and execute -%}
        {%- set node = graph.nodes['model.' ~ project_name ~ '.' ~ view.identifier] -%}
        {%- set base = graph.nodes[node.depends_on.nodes[0]].relation_name -%}
        ({{ accepted(base, only_changed(of=base, moment=moment)) }})
    {%- else -%}
        {{ view }}
    {%- endif -%}
{%- endmacro %}


{# Whether a row is to be made anew. By its day most of a long history need not be looked at. #}
{% macro is_changed(key, moment='') -%}
    {%- set days = changed_days() if moment else none -%}
    {{ key }} in (select changed_key from changed_keys)
    {%- if days %} and {{ moment }} >= '{{ days[0] }}' and {{ moment }} < '{{ days[1] }}'{% endif -%}
{%- endmacro %}


{# The relations that this model follows, and those that rebuild it, as a query. #}
{% macro followed_relations() -%}
    {%- set meta = model.config.meta -%}
    select unnest([
        {%- for relation in meta.follows %}{relation: {{ sql_text(relation) }}, is_keyed: true},{% endfor -%}
        {%- for relation in meta.rebuilt_by %}{relation: {{ sql_text(relation) }}, is_keyed: false},{% endfor -%}
    ], recursive := true)
{%- endmacro %}


{# What a follower has to do: `none`, `some` rows anew, or `all`. #}
{% macro pending_changes() %}
    {% if not execute %}{{ return('all') }}{% endif %}
    {{ return(run_query("
        with counted as (
            select
                relations.is_keyed,
                any_value(followed.load_number) as seen,
                coalesce(max(loads.load_number), 0) as newest,
                count(*) filter (
                    loads.load_number > followed.load_number and not loads.is_complete
                ) as n_partial
            from (" ~ followed_relations() ~ ") as relations
            left join landing.followed
                on followed.relation = relations.relation and followed.follower = '" ~ model.name ~ "'
            left join landing.loads on loads.relation = relations.relation
            group by relations.relation, relations.is_keyed
        )

        select
            case
                when bool_or(seen is null or newest - seen <> if(is_keyed, n_partial, 0)) then 'all'
                when bool_or(newest > seen) then 'some'
                else 'none'
            end
        from counted
    ").rows[0][0]) }}
{% endmacro %}


{# The first day on which something changed, and the one after the last; none where not all tell. #}
{% macro changed_days() %}
    {% set row = run_query("
        select
            case when count(*) = count(loads.first_day) then min(loads.first_day) end,
            max(loads.last_day) + 1
        from (" ~ followed_relations() ~ ") as relations
        inner join landing.followed using (relation)
        inner join landing.loads using (relation)
        where
            loads.load_number > followed.load_number
            and followed.follower = '" ~ model.name ~ "'
    ").rows[0] %}
    {{ return(row if row[0] else none) }}
{% endmacro %}
