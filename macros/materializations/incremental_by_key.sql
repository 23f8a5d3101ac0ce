{#
    Facts and dimensions that make only those rows again whose source changed. Their configuration,
    `key`, `day`, `consumes` and `publishes`, is explained in change_feed.sql.
#}
{% materialization incremental_by_key, adapter='duckdb' %}
    {% set target_relation = this.incorporate(type='table') %}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% if not is_increment() %}
        {{ create_whole_table(target_relation) }}
        {% call statement('load') %}
            {{ publish() }}
            {{ commit_offsets() }}
            {{ remember_rules() }}
        {% endcall %}
    {% else %}
        {% call statement('changed_keys') %}
            {{ stage_changed_keys() }}
        {% endcall %}
        {% set staged = stage_rows(target_relation) %}
        {% call statement('main') %}
            {% if reads_all() %}
            -- The one look at all rows: the rest knows them by their number.
            create or replace temporary table replaced as
            select rowid as replaced_rowid, * from {{ this }}
            where rowid in (
                select rowid from {{ this }} where {{ is_changed(config.get('key'), config.get('day')) }}
            );
            delete from {{ this }} where rowid in (select replaced_rowid from replaced);
            insert into {{ this }} by name select * from {{ staged }};
            {% set changed %}
                select -1 as weight, * exclude (replaced_rowid) from replaced
                union all by name
                select 1 as weight, * from {{ staged }}
            {% endset %}
            {{ publish(changed) }}
            {{ commit_offsets() }}
            drop table replaced;
            {% endif %}
            drop table {{ staged }};
            drop table changed_keys;
        {% endcall %}
    {% endif %}
    {{ end_load(target_relation) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
