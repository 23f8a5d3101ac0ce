{#
    Of each feed the share of records that were refused, of each of its columns the share of filled
    values that could not be read, and the thresholds that hold for either. What is blank, not
    delivered or a known word for nothing is not filled. Duplicates are looked at once.

    feeds       pairs of area and feed
    thresholds  relation with the columns of the seed intake_thresholds
#}
{% macro intake_shares(feeds, thresholds) %}
with counted as (
    {%- for area, feed in feeds %}
    {{ intake_counts(area, feed) }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- The row of the seed that names most of feed and column.
chosen as (
    select
        counted.*,
        thresholds.minimum_records,
        thresholds.warn_share,
        thresholds.stop_share,
        row_number() over (
            partition by counted.area, counted.feed, counted.column_name
            order by
                thresholds.area = 'all', thresholds.feed = 'all', thresholds.column_name = 'all'
        ) as place
    from counted
    inner join {{ thresholds }} as thresholds
        on
            counted.measure = thresholds.measure
            and thresholds.area in (counted.area, 'all')
            and thresholds.feed in (counted.feed, 'all')
            and thresholds.column_name in (counted.column_name, 'all')
)

select
    area,
    feed,
    measure,
    column_name,
    n_values,
    n_affected,
    n_affected / n_values as affected_share,
    warn_share,
    stop_share,
    case
        when n_values < minimum_records or n_affected / n_values <= warn_share then 'fine'
        when n_affected / n_values > stop_share then 'stop'
        else 'warn'
    end as verdict
from chosen
where place = 1 and n_values > 0
{% endmacro %}


{# Records of one feed and those refused; filled values of its columns and those not read. #}
{% macro intake_counts(area, feed) %}
    {%- set base = 'base_' ~ area ~ '__' ~ feed -%}
    {%- set relation = this if this.identifier == base else ref(base) -%}
    {%- set columns = raw_columns(base) -%}
    select
        '{{ area }}' as area,
        '{{ feed }}' as feed,
        unnest([
            {
                'measure': 'refused_records', 'column_name': null::varchar,
                'n_values': totals.n_records + lines.n_lines,
                'n_affected': totals.n_rejected + lines.n_lines
            }
            {%- for typed, column in columns.items() %},
            {%- set said = [
                column ~ ':set_null', column ~ ':out_of_range', 'unreadable_' ~ column, 'unknown_' ~ column
            ] -%}
            {
                'measure': 'unreadable_values', 'column_name': '{{ column }}',
                'n_values': totals.filled_{{ loop.index }} + {{ count_of_codes(said) }}
                - {{ count_of_codes([column ~ ':imputed_zero']) }},
                'n_affected': {{ count_of_codes(said + [column ~ ':unread_as_zero']) }}
            }
            {%- endfor %}
        ], recursive := true)
    from (
        select
            count(*) as n_records,
            count(rejection_reason) as n_rejected
            {%- for typed in columns %},
            count({{ typed }}) as filled_{{ loop.index }}
            {%- endfor %}
        from {{ relation }}
        where not is_duplicate
    ) as totals
    -- One row each.
    cross join (
        select count(*) as n_lines
        from landing.unreadable_records
        where {{ is_of_feed([area, feed]) }}
    ) as lines
    cross join (
        select coalesce(map_from_entries(list((code, n_records))), map()) as counts
        from (
            select
                -- What a reason quotes of the record follows a colon and a blank.
                split_part(unnest(list_append(repairs, rejection_reason)), ': ', 1) as code,
                count(*) as n_records
            from {{ relation }}
            where not is_duplicate and (len(repairs) > 0 or rejection_reason is not null)
            group by code
        ) as coded
        where code is not null
    ) as codes
{% endmacro %}


{# How many records bear one of some repairs or reasons. #}
{% macro count_of_codes(codes) -%}
    (
    {%- for code in codes -%}
        coalesce(codes.counts['{{ code }}'], 0){{ ' + ' if not loop.last }}
    {%- endfor -%}
    )
{%- endmacro %}


{# The columns of a base model that are read from one of the feed which may say what cannot be read. #}
{% macro raw_columns(base) %}
    {% set found = {} %}
    {% if execute %}
        {% for column in graph.nodes['model.' ~ project_name ~ '.' ~ base].columns.values() %}
            {% if column.config.meta.raw_column %}
                {% do found.update({column.name: column.config.meta.raw_column}) %}
            {% endif %}
        {% endfor %}
    {% endif %}
    {{ return(found) }}
{% endmacro %}
