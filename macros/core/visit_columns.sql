{#
    How the appointments of a group went: their number, by status too, for how many it is known
    whether there was technical trouble, how many had some, the known waits and their mean.
#}
{% macro appointment_counts() -%}
    count(*) as n_appointments,
    count(*) filter (is_completed) as n_completed,
    count(*) filter (appointment_status = 'Cancelled') as n_cancelled,
    count(*) filter (appointment_status = 'Rescheduled') as n_rescheduled,
    count(*) filter (appointment_status = 'No-show') as n_no_show,
    count(has_technical_issues) as n_technical_issues_known,
    count(*) filter (has_technical_issues) as n_with_technical_issues,
    count(wait_minutes) as n_wait_known,
    avg(wait_minutes) as mean_wait_minutes
{%- endmacro %}


{# How satisfied the answers of a group are: their number, the mean and its standard error. #}
{% macro satisfaction_columns() -%}
    count(*) as n_feedback,
    avg(overall_satisfaction) as mean_satisfaction,
    stddev_samp(overall_satisfaction) / sqrt(count(*)) as satisfaction_error
{%- endmacro %}


{# Counts of a relation that is joined and may have no row: 0 there. #}
{% macro zero_if_null(relation, counts) -%}
    {%- for count in counts -%}
        coalesce({{ relation }}.{{ count }}, 0) as {{ count }}{{ ',\n' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{#
    One insight's statistics: for each group, sums of y, and of x where y is held against it. Grouped by
    all, two constants would be no group, and no observations one row.
#}
{% macro insight_sums(insight, relation, group_name, y, x='null') -%}
    {%- set y_value = 'try_cast(' ~ y ~ ' as decimal(9, 4))' -%}
    {%- set x_value = 'try_cast(' ~ x ~ ' as decimal(9, 4))' -%}
    select
        '{{ insight }}' as insight,
        {{ group_name }} as group_name,
        count({{ y_value }}) as n,
        coalesce(sum({{ y_value }}), 0)::double as y_sum,
        coalesce(sum({{ y_value }} * {{ y_value }}), 0)::double as y_square_sum,
        coalesce(sum({{ x_value }}), 0)::double as x_sum,
        coalesce(sum({{ x_value }} * {{ x_value }}), 0)::double as x_square_sum,
        coalesce(sum({{ x_value }} * {{ y_value }}), 0)::double as xy_sum
    from {{ relation }}
    where
        {{ y }} is not null and {{ group_name }} is not null
        {%- if x != 'null' %} and {{ x }} is not null{% endif %}
    group by insight, group_name
{%- endmacro %}
