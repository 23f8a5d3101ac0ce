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
