-- What is known of the people beside the features: columns that did not make the personas. Numbers
-- are banded by their quartiles.
{% set options = feed_options('engagement', 'healthcare_data') %}

with people as (
    select * from {{ ref('fct_engagement') }}
    where is_current
),

members as (
    select person_key, persona_number from {{ ref('persona_members') }}
),

told as (
    {% for column in persona_outside_columns() %}
    select
        people.person_type,
        members.persona_number,
        {{ sql_text(column) }} as column_name,
        {{ profile_text(column) }} as word,
        {% if column == 'has_marketing_consent' %}null::double
        {%- else %}{{ profile_number(column, options) }}{% endif %} as number
    from people
    -- A person is in members once.
    inner join members on people.person_key = members.person_key
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

spans as (
    select
        person_type,
        column_name,
        -- A column is one of numbers where hardly any word is none.
        count(number) >= 0.9 * count(word) as is_number,
        quantile_cont(number, [0.25, 0.5, 0.75]) as quartiles
    from told
    group by person_type, column_name
    having count(word) > 0
),

final as (
    select
        told.person_type,
        told.persona_number,
        told.column_name,
        case when spans.is_number then told.number end as number,
        case
            when not spans.is_number then told.word
            when told.number <= spans.quartiles[1] then 'lowest quarter'
            when told.number <= spans.quartiles[2] then 'below the middle'
            when told.number <= spans.quartiles[3] then 'above the middle'
            when told.number > spans.quartiles[3] then 'highest quarter'
        end as level
    from told
    -- One row per person type and column on the right.
    inner join spans
        on told.person_type = spans.person_type and told.column_name = spans.column_name
)

select * from final
