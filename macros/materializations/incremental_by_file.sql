{#
    Base models. Each landed file is read once; where files came, changed or went, the records of
    those go and come, and the change feed names the keys that this touched.

    key            columns that identify a record; without them it is all that a record says
    on_conflict    of two accepted records with one key and different content
                   'last'    the last by file and line wins, the others are duplicates (master data)
                   'reject'  the latest by the column newest_by wins; where there is none, all go to
                             quarantine (events)
    newest_by      column of the moment at which a record was true
    identified_by  a record in which all of these are null is never a duplicate; the key by default
    publishes      what consumers find records by, as in change_feed.sql
#}
{% materialization incremental_by_file, adapter='duckdb' %}
    {% set target_relation = this.incorporate(type='table') %}
    {% set feed = model.sources[0] %}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% if not is_increment() %}
        {% call statement('forget') %}
            {{ drop_rejects() }}
            {{ forget_files(feed) }}
        {% endcall %}
        {{ create_whole_table(target_relation) }}
        {% if reads_all() %}
            {% do refuse_changed_files(feed) %}
            {% do refuse_other_settings(feed, this) %}
        {% endif %}
        {% call statement('load') %}
            {{ deduplicate() }}
            {{ publish() }}
            {% if reads_all() %}{{ record_files(feed, this) }}{% endif %}
            {{ remember_rules() }}
            drop table deduplicated;
        {% endcall %}
    {% else %}
        {% call statement('forget') %}
            {{ drop_rejects() }}
        {% endcall %}
        {% set staged = stage_rows(target_relation) %}
        {% if reads_all() %}
            {% do refuse_changed_files(feed) %}
            {% do refuse_other_settings(feed, staged) %}
        {% endif %}
        {% set columns = record_columns() | join(', ') %}
        {% call statement('main') %}
            {% if reads_all() and feed_state(feed).has_changed %}
            create or replace temporary table forgotten as
            select {{ columns }} from {{ this }}
            where source_file in ({{ gone_files(feed) }});
            delete from {{ this }} where source_file in ({{ gone_files(feed) }});
            insert into {{ this }} by name select * from {{ staged }};
            {{ deduplicate(
                'select key_hash from forgotten union select key_hash from ' ~ staged
            ) }}
            {% set changed %}
                select 1 as weight, {{ columns }} from forgotten
                union all
                select 1 as weight, {{ columns }} from deduplicated
                union all
                select 1 as weight, {{ columns }} from {{ staged }} where rejection_reason is null
            {% endset %}
            {{ publish(changed, ['record_hash']) }}
            {{ record_files(feed, staged) }}
            drop table forgotten;
            drop table deduplicated;
            {% endif %}
            drop table {{ staged }};
        {% endcall %}
    {% endif %}
    {% if reads_all() %}{% do hold_to_thresholds(feed) %}{% endif %}
    {{ end_load(target_relation) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{# Makes a table of all that its model selects, in the place of what was there. #}
{% macro create_whole_table(target_relation) %}
    {% do adapter.ensure_transaction() %}
    {{ drop_relation_if_exists(load_cached_relation(this)) }}
    {% call statement('main') %}
        {{ create_table_as(False, target_relation, compiled_code) }}
    {% endcall %}
    {% do create_indexes(target_relation) %}
{% endmacro %}


{# Stages what a model selects in an increment, with the columns and types that its table has. #}
{% macro stage_rows(target_relation) %}
    {% set staged = make_temp_relation(target_relation) %}
    {% call statement('stage') %}
        {{ create_table_as(True, staged, compiled_code) }}
    {% endcall %}
    {% do process_schema_changes('fail', staged, target_relation) %}
    {{ return(staged) }}
{% endmacro %}


{# Ends a load: all that belongs to it is committed at once. #}
{% macro end_load(target_relation) %}
    {% do apply_grants(target_relation, config.get('grants'), should_revoke=True) %}
    {% do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
{% endmacro %}
