{#
    What changed, from table to table. A producer publishes each of its loads as a version: the keys
    of rows that are new, gone or other than before, or that all are. A consumer commits the version
    that it has taken in, its offset; where it missed one, it reads all. What producer and key are
    called together, such as fct_patient_stays(patient_key), is a feed.

    Both say so in their configuration:
    publishes  a list of dictionaries: `key`, columns that consumers find rows by; `day`, a column
               whose day all rows of one key have; `tracked`, what consumers take from a row, all
               columns unless named, for a key is published only where that changed
    consumes   a list of feeds
    key, day   the consumer's own columns, of the same meaning
#}
{% macro create_change_feed() %}
    create schema if not exists change_feed;
    create table if not exists change_feed.versions (
        feed varchar, version bigint, is_complete boolean, first_day date, last_day date
    );
    create table if not exists change_feed.keys (feed varchar, version bigint, key hugeint);
    create table if not exists change_feed.offsets (consumer varchar, feed varchar, version bigint);
    create table if not exists change_feed.built_by (model varchar, rule varchar, seeds varchar);
{% endmacro %}


{#
    Whether a model loads what changed: not in a unit test, a first build or a full refresh, and not
    where it is only looked at. What a table was built by other rules or seeds, all is read again.
#}
{% macro is_increment() %}
    {% if not execute or flags.WHICH not in ['build', 'run']
        or not model.config.materialized.startswith('incremental_by_') %}
        {{ return(false) }}
    {% endif %}
    {% set existing = load_cached_relation(this) %}
    {% if existing is none or not existing.is_table or should_full_refresh() %}
        {{ return(false) }}
    {% elif model.config.materialized == 'incremental_by_key' %}
        {{ return(not has_missed_versions()) }}
    {% endif %}
    {% set state = feed_state(model.sources[0]) %}
    {{ return(state.is_built_alike and (state.has_kept_files or not state.has_changed)) }}
{% endmacro %}


{#
    Whether this run reads all that there is. With --empty and --sample dbt reads nothing or a part:
    such a run says nowhere that anything was read, and the next one reads it.
#}
{% macro reads_all() %}
    {{ return(not flags.EMPTY and not invocation_args_dict.get('sample')) }}
{% endmacro %}


{# Whether the model's table was built by the rules and seeds that there are now. #}
{% macro is_built_alike() -%}
    exists (
        select 1 from change_feed.built_by
        inner join landing.model_rules using (model, rule)
        where model = '{{ model.name }}' and seeds = {{ seeds_now() }}
    )
{%- endmacro %}


{#
    What the seeds hold that a model reads, itself or by views: of their tables, not of their files,
    for a file may have changed since its table was loaded.
#}
{% macro seeds_now() -%}
    md5(concat_ws(chr(31), ''
    {%- for seed in seeds_read_by(model) -%}
        , (select string_agg(seed::varchar, chr(30) order by seed::varchar) from {{ seed }} as seed)
    {%- endfor -%}
    ))
{%- endmacro %}


{% macro seeds_read_by(node) %}
    {% set found = [] %}
    {% for each in [node] + views_of(node) %}
        {% for name in each.depends_on.nodes if name.startswith('seed.') %}
            {% do found.append(graph.nodes[name].relation_name) %}
        {% endfor %}
    {% endfor %}
    {{ return(found | unique | sort) }}
{% endmacro %}


{# After all was read: remember by which rules and seeds. #}
{% macro remember_rules() %}
    delete from change_feed.built_by where model = '{{ model.name }}';
    {% if reads_all() %}
    insert into change_feed.built_by by name
    select model, rule, {{ seeds_now() }} as seeds
    from landing.model_rules
    where model = '{{ model.name }}';
    {% endif %}
{% endmacro %}


{#
    An imported table or view, of which an increment reads the rows that changed. In a table they are
    looked up by the key alone first, so that the other columns are read where they are and not
    throughout; a staging view is looked up in the base model that it filters.
#}
{% macro only_changed(relation, key=none, day=none) -%}
    {%- if not is_increment() or not reads_all() -%}
        {{ relation }}
    {%- else -%}
        {%- set condition = is_changed(key or model.config.key, day or model.config.day) -%}
        {%- set node = graph.nodes['model.' ~ project_name ~ '.' ~ relation.identifier] -%}
        {%- set parent = graph.nodes.get(node.depends_on.nodes[0]) -%}
        {%- set table = parent if node.name.startswith('stg_') else node -%}
        {%- set rows = 'rowid in (select rowid from ' ~ table.relation_name ~ ' where ' ~ condition ~ ')' -%}
        ({%- if table is not sameas node -%}
            {{ accepted(table.relation_name, 'where ' ~ rows) }}
        {%- else -%}
            select * from {{ relation }} where {{ condition if node.config.materialized == 'view' else rows }}
        {%- endif -%})
    {%- endif -%}
{%- endmacro %}


{# Whether a row is one of those that changed. By its day most of a long history is passed over. #}
{% macro is_changed(key, day) -%}
    {%- set days = changed_days() if day else none -%}
    {{ feed_key(key) }} in (select key from changed_keys)
    {%- if days %} and {{ day }} >= '{{ days[0] }}' and {{ day }} < '{{ days[1] }}'{% endif -%}
{%- endmacro %}


{# What a feed knows rows by: a surrogate key or hash as it is, else a hash; null where a part is. #}
{% macro feed_key(columns) -%}
    {%- if columns | length == 1 and columns[0].rsplit('_', 1)[1] in ['key', 'hash'] -%}
        {{ columns[0] }}
    {%- else -%}
        case when {{ columns | join(' is not null and ') }} is not null then hash({{ columns | join(', ') }}) end
    {%- endif -%}
{%- endmacro %}


{# The feeds that this model consumes, each with its offset. #}
{% macro consumed_feeds() -%}
    select feeds.feed, offsets.version as offset_version
    from (values {% for feed in model.config.consumes %}('{{ feed }}'){{ ', ' if not loop.last }}{% endfor %})
        as feeds (feed)
    left join change_feed.offsets
        on feeds.feed = offsets.feed and offsets.consumer = '{{ model.name }}'
{%- endmacro %}


{#
    Whether this model has to read all: a feed has no offset, or another version than of keys, or
    the model's rules or seeds are others.
#}
{% macro has_missed_versions() %}
    {{ return(run_query("
        select
            bool_or(offset_version is null or newest - offset_version <> n_of_keys)
            or not " ~ is_built_alike() ~ "
        from (
            select
                consumed.offset_version,
                coalesce(max(versions.version), 0) as newest,
                count(*) filter (
                    versions.version > consumed.offset_version and not versions.is_complete
                ) as n_of_keys
            from (" ~ consumed_feeds() ~ ") as consumed
            left join change_feed.versions on consumed.feed = versions.feed
            group by consumed.feed, consumed.offset_version
        )
    ").rows[0][0]) }}
{% endmacro %}


{# The first day on which something changed, and the one after the last; none where not all say. #}
{% macro changed_days() %}
    {% set row = run_query("
        select
            case when count(*) = count(versions.first_day) then min(versions.first_day) end,
            max(versions.last_day) + 1
        from (" ~ consumed_feeds() ~ ") as consumed
        inner join change_feed.versions
            on consumed.feed = versions.feed and versions.version > consumed.offset_version
    ").rows[0] %}
    {{ return(row if row[0] else none) }}
{% endmacro %}


{# Before an increment: the keys that changed, of the type that the model's key has. #}
{% macro stage_changed_keys() %}
    create or replace temporary table changed_keys as
    select {{ feed_key(model.config.key) }} as key from {{ this }} where false;
    insert into changed_keys
    select distinct keys.key
    from change_feed.keys
    inner join ({{ consumed_feeds() }}) as consumed
        on keys.feed = consumed.feed and keys.version > consumed.offset_version;
{% endmacro %}


{# After a load: this model has taken in all that there is. Of nothing read, nothing is said. #}
{% macro commit_offsets() %}
    delete from change_feed.offsets where consumer = '{{ model.name }}';
    {% if reads_all() %}
    insert into change_feed.offsets by name
    select '{{ model.name }}' as consumer, consumed.feed, coalesce(max(versions.version), 0) as version
    from ({{ consumed_feeds() }}) as consumed
    left join change_feed.versions on consumed.feed = versions.feed
    group by consumed.feed;
    {% endif %}
{% endmacro %}


{#
    Publishes a load by each of the model's keys: those of the query `changed`, or without one that
    all is new. So many keys that reading all is cheaper are published as all, none not at all. Rows of
    `changed` weigh -1 before the load and 1 after it: what is tracked of a key weighs nothing in sum
    where it stayed the same.
#}
{% macro publish(changed=none, tracked=none) %}
    {% for each in model.config.publishes or [] %}
    {% set feed = sql_text(model.name ~ '(' ~ each.key | join(', ') ~ ')') %}
    {% set version %}(select coalesce(max(version), 0) from change_feed.versions where feed = {{ feed }}){% endset %}
    {% if changed %}
    create or replace temporary table published_keys as
    select {{ feed_key(each.key) }} as key, {{ each.day or 'null' }}::date as day
    from ({{ changed }})
    where {{ feed_key(each.key) }} is not null
    group by all
    having sum(weight * hash({{ (each.tracked or tracked or model.columns) | join(', ') }})::hugeint) <> 0;
    insert into change_feed.versions by name
    select
        {{ feed }} as feed,
        {{ version }} + 1 as version,
        count(*) > 0.2 * (select count(*) from {{ this }}) as is_complete,
        case when count(*) = count(day) then min(day) end as first_day,
        max(day) as last_day
    from published_keys
    having count(*) > 0;
    insert into change_feed.keys by name
    select versions.feed, versions.version, published_keys.key
    from published_keys
    cross join change_feed.versions
    where
        versions.feed = {{ feed }} and versions.version = {{ version }}
        and not versions.is_complete;
    drop table published_keys;
    {% else %}
    insert into change_feed.versions by name
    select {{ feed }} as feed, {{ version }} + 1 as version, true as is_complete;
    {% endif %}
    -- What every consumer has taken in, nobody needs any more.
    {% set taken_in %}
        select coalesce(min(offsets.version), max(versions.version))
        from change_feed.versions
        left join change_feed.offsets using (feed)
        where versions.feed = {{ feed }}
    {% endset %}
    delete from change_feed.keys where feed = {{ feed }} and version <= ({{ taken_in }});
    delete from change_feed.versions where feed = {{ feed }} and version < ({{ taken_in }});
    {% endfor %}
{% endmacro %}
