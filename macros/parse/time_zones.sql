{# Names of zones that feeds.csv declares for a feed: what each stands for by its abbreviation. #}
{% macro declared_zones(options) %}
    {% set zones = {} %}
    {% for option, value in options.items() if option.startswith('zone:') %}
        {% do zones.update({option[5:]: value}) %}
    {% endfor %}
    {{ return(zones) }}
{% endmacro %}


{% macro written_zone(options={}) -%}
    {%- set names = ['[Zz]', 'UTC', 'GMT'] + declared_zones(options).keys() | sort -%}
    {{ names | join('|') }}|{{ written_offset() }}
{%- endmacro %}


{# A time on the clock of a zone, by name or by its distance from UTC, in UTC. #}
{% macro clock_in_utc(clock, zone) -%}
    {%- if zone[0] in '+-' -%}
        timezone('UTC', try_cast({{ clock }} || '{{ zone }}' as timestamptz))
    {%- else -%}
        timezone('UTC', timezone('{{ zone }}', try_cast({{ clock }} as timestamp)))
    {%- endif -%}
{%- endmacro %}


{#
    The moment in UTC of the text of a day with its time, and the zone written behind it, if any.
    Without one it is the time of the feed's zone, UTC unless feeds.csv names another.
#}
{% macro moment_of(clock, zone, options={}) -%}
    {%- set own = options.get('time_zone', 'UTC') -%}
    case
        when {{ zone }}[1] in ('+', '-')
            then timezone('UTC', try_cast({{ clock }} || {{ zone }} as timestamptz))
        {%- for name, value in declared_zones(options).items() %}
        when {{ zone }} = '{{ name }}' then {{ clock_in_utc(clock, value) }}
        {%- endfor %}
        {%- if own != 'UTC' %}
        when {{ zone }} is null or {{ zone }} = '' then {{ clock_in_utc(clock, own) }}
        {%- endif %}
        else timezone('UTC', try_cast({{ clock }} || '+00' as timestamptz))
    end
{%- endmacro %}
