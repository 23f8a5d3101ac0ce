{#
    Incremental models that read only what changed. A model publishes each of its loads: which
    values of a column stand in rows that are new, gone or other than before. A follower remembers
    the last load of each column that it has taken in; where it missed one, it starts anew.

    key         the follower's column, or expression, that the published values are values of
    follows     what it follows, as '<model>.<column>'
    rebuilt_by  the same, of which any change starts the follower anew
    publishes   its own columns, or expressions, by which others follow it in turn
#}
{% macro follow_changes(key, follows, rebuilt_by=[], publishes=[]) %}
    {{ config(
        materialized='incremental',
        incremental_strategy='append',
        pre_hook="{{ forget_changed_rows() }}",
        post_hook="{{ remember_followed() }}",
        meta={
            'key': key, 'follows': follows, 'rebuilt_by': rebuilt_by, 'publishes': publishes,
        },
    ) }}
{% endmacro %}


{#
    Follows an imported relation: keeps the rows to be made anew, all of them in a full build. In a
    large one, named again as `of`, they are looked up by the key alone first, so that the other
    columns are read where they are and not throughout. A view has no row numbers: there `near`
    serves, a column that is never null and rises with the rows.
#}
{% macro only_changed(column=none, of=none, near=none) -%}
    {%- if is_incremental() -%}
        {%- set key = column or model.config.meta.key -%}
        {%- set pending = pending_changes() if execute else 'all' -%}
        {%- set is_changed = key ~ ' in (select changed_key from changed_keys)' -%}
        {%- if pending == 'some' and near -%}
            semi join (select {{ key }}, {{ near }} from {{ of }} where {{ is_changed }}) as changed_rows
                using ({{ key }}, {{ near }})
        {%- elif pending == 'some' and of -%}
            where rowid in (select rowid from {{ of }} where {{ is_changed }})
        {%- elif pending == 'some' -%}
            where {{ is_changed }}
        {%- elif pending == 'none' -%}
            where false
        {%- endif -%}
    {%- endif -%}
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


{# Before a follower loads: drop the rows that are made anew, and note what they published. #}
{% macro forget_changed_rows() %}
    {% set meta = model.config.meta %}
    {% set pending = pending_changes() %}
    {% if not is_incremental() %}
        delete from landing.followed where follower = '{{ model.name }}'
    {% elif pending == 'all' %}
        delete from {{ this }}
    {% elif pending == 'some' %}
        create or replace temporary table changed_keys as
        select {{ meta.key }} as changed_key from {{ this }} where false;
        insert into changed_keys
        select distinct changes.changed_key
        from landing.changes
        inner join landing.followed using (relation)
        inner join ({{ followed_relations() }}) as relations using (relation)
        where
            relations.is_keyed
            and changes.load_number > followed.load_number
            and followed.follower = '{{ model.name }}';
        {% if meta.publishes %}
            create or replace temporary table touched_keys as {{ published_keys() }};
        {% endif %}
        delete from {{ this }} where {{ meta.key }} in (select changed_key from changed_keys)
    {% endif %}
{% endmacro %}


{# What the rows to be made anew publish, as a query: before they are dropped, and when they are. #}
{% macro published_keys() -%}
    select
        {% for column in model.config.meta.publishes %}
        {{ column }} as key_{{ loop.index }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ this }}
    {{ only_changed(of=this) }}
{%- endmacro %}


{# After a follower has loaded: what changed in it, and what it has taken in. #}
{% macro remember_followed() %}
    {% set meta = model.config.meta %}
    {% set pending = pending_changes() %}
    {% if pending == 'none' %}{{ return('') }}{% endif %}
    {% if pending == 'some' and meta.publishes %}
        insert into touched_keys {{ published_keys() }};
    {% endif %}
    {% for column in meta.publishes %}
        {% set touched = 'select distinct key_' ~ loop.index ~ ' from touched_keys' %}
        {{ publish_changes(column, touched if pending == 'some' else none) }};
    {% endfor %}
    drop table if exists touched_keys; drop table if exists changed_keys;
    delete from landing.followed where follower = '{{ model.name }}';
    insert into landing.followed by name
    select
        '{{ model.name }}' as follower,
        relations.relation,
        coalesce(max(loads.load_number), 0) as load_number
    from ({{ followed_relations() }}) as relations
    left join landing.loads on loads.relation = relations.relation
    group by relations.relation
{% endmacro %}


{#
    Publishes what a load changed by one column: the values of the query `changed`, or, without
    one, that all is new. So many changes that reading all anew is cheaper are published as all.
#}
{% macro publish_changes(column, changed=none) %}
    {% set relation = sql_text(model.name ~ '.' ~ column) %}
    {% if changed %}
        create or replace temporary table published_keys as
        select * from ({{ changed }}) as changed (changed_key) where changed_key is not null;
    {% endif %}
    insert into landing.loads by name
    select
        {{ relation }} as relation,
        coalesce(max(load_number), 0) + 1 as load_number,
        {% if changed %}
            (select count(*) from published_keys) > 0.2 * (select count(*) from {{ this }})
        {% else %}
            true
        {% endif %} as is_complete
    from landing.loads
    where relation = {{ relation }};
    {% if changed %}
        insert into landing.changes by name
        select loads.relation, loads.load_number, published_keys.changed_key
        from published_keys
        cross join landing.loads
        where
            loads.relation = {{ relation }} and not loads.is_complete
            and loads.load_number = (
                select max(load_number) from landing.loads where relation = {{ relation }}
            );
        drop table published_keys;
    {% endif %}
    -- What every follower has taken in, nobody needs any more.
    delete from landing.changes
    where relation = {{ relation }} and load_number <= ({{ taken_in(relation) }});
    delete from landing.loads
    where relation = {{ relation }} and load_number < ({{ taken_in(relation) }})
{% endmacro %}


{# The last load of a relation that every follower has taken in; the newest where none follows. #}
{% macro taken_in(relation) -%}
    select coalesce(min(followed.load_number), max(loads.load_number))
    from landing.loads
    left join landing.followed using (relation)
    where loads.relation = {{ relation }}
{%- endmacro %}
