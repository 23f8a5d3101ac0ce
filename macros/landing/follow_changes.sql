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
        -- The one look at all rows: the rest knows them by their number.
        create or replace temporary table changed_rows as
        select rowid as changed_rowid
        from {{ this }}
        where {{ is_changed(meta.key, meta.moment) }};
        {{ remember_last_row() }};
        {% if meta.publishes %}
            create or replace temporary table touched_keys as
            {{ published_keys('-1') }}
            where rowid in (select changed_rowid from changed_rows);
        {% endif %}
        delete from {{ this }} where rowid in (select changed_rowid from changed_rows)
    {% endif %}
{% endmacro %}


{# Before a load: where its rows will begin, for a table takes new rows behind those it has. #}
{% macro remember_last_row() -%}
    create or replace temporary table rows_before as
    select coalesce(max(rowid), -1) as last_rowid from {{ this }}
{%- endmacro %}


{# Whether a row came with this load, where the last one before was remembered. #}
{% macro is_just_loaded() -%}
    {{ this.identifier }}.rowid > (select last_rowid from rows_before)
{%- endmacro %}


{#
    What rows publish, as a query: those to be made anew before they are dropped, and when made.
    What is told of a value weighs nothing in sum where it is the same then.
#}
{% macro published_keys(sign) -%}
    select
        {% for each in model.config.meta.publishes %}
        {{ each.column }} as key_{{ loop.index }},
        {{ day_of(each.moment) }} as day_{{ loop.index }},
        {{ sign }} * hash({{ each.told or 'null' }})::hugeint as told_{{ loop.index }}
        {{- ',' if not loop.last }}
        {% endfor %}
    from {{ this }}
{%- endmacro %}


{% macro day_of(moment) -%}
    {{ moment or 'null' }}::date
{%- endmacro %}


{# After a follower has loaded: what changed in it, and what it has taken in. #}
{% macro remember_followed() %}
    {% set meta = model.config.meta %}
    {% set pending = pending_changes() %}
    {% if pending == 'none' %}{{ return('') }}{% endif %}
    {% if pending == 'some' and meta.publishes %}
        insert into touched_keys {{ published_keys('1') }} where {{ is_just_loaded() }};
    {% endif %}
    {% for each in meta.publishes %}
        {% set touched %}
            select key_{{ loop.index }}, day_{{ loop.index }}
            from touched_keys
            group by all
            {% if each.told %}having sum(told_{{ loop.index }}) <> 0{% endif %}
        {% endset %}
        {{ publish_changes(each.column, touched if pending == 'some' else none) }};
    {% endfor %}
    {% for table in ['touched_keys', 'changed_keys', 'changed_rows', 'rows_before'] %}
        drop table if exists {{ table }};
    {% endfor %}
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
    Publishes what a load changed by one column: the values of the query `changed`, each with its
    day or null, or, without one, that all is new. So many changes that reading all anew is cheaper
    are published as all.
#}
{% macro publish_changes(column, changed=none) %}
    {% set relation = sql_text(model.name ~ '.' ~ column) %}
    {% if changed %}
        create or replace temporary table published_keys as
        select *
        from ({{ changed }}) as changed (changed_key, changed_day)
        where changed_key is not null;
    {% endif %}
    insert into landing.loads by name
    select
        {{ relation }} as relation,
        (select coalesce(max(load_number), 0) + 1 from landing.loads where relation = {{ relation }})
            as load_number,
        {% if changed %}
        count(*) > 0.2 * (select count(*) from {{ this }}) as is_complete,
        case when count(*) = count(changed_day) then min(changed_day) end as first_day,
        max(changed_day) as last_day
        from published_keys;
        {% else %}
        true as is_complete;
        {% endif %}
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
