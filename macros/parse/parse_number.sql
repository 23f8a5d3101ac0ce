{% macro parse_number(column, scale=4, decimal_mark='.') %}
    {{ return(adapter.dispatch('read_decimal', 'wardhouse')(column, scale, decimal_mark)) }}
{% endmacro %}


{# A plain number, or one in groups of three with one kind of separator. Grouped digits never begin
   with 0: '0,123' is more likely a decimal comma, and a guess is worse than a null. #}
{% macro written_number(decimal_mark) -%}
    {%- set mark = '[' ~ decimal_mark ~ ']' -%}
    {%- set separator = '[,]' if decimal_mark == '.' else '[.]' -%}
    (?:[0-9]+|[1-9][0-9]{0,2}(?:(?:{{ separator }}[0-9]{3})+|(?:[''’][0-9]{3})+|(?: [0-9]{3})+))
    {#- -#}
    (?:{{ mark }}[0-9]*)?|{{ mark }}[0-9]+
{%- endmacro %}


{# A signed number in groups 1 to 3, or one in parentheses in groups 4 and 5. #}
{% macro signed_number(decimal_mark, currency='') -%}
    {%- set number = written_number(decimal_mark) -%}
    {%- set sign = '([-+−]?) *' -%}
    ^ *(?:{{ sign }}{{ currency }}{{ sign }}({{ number }}) *{{ currency }}|{{ currency }}([(]) *
    {#- -#}
    {{ currency }}({{ number }}) *{{ currency }}[)] *{{ currency }})$
{%- endmacro %}


{% macro duckdb__read_decimal(column, scale, decimal_mark, currency='') -%}
    {%- if decimal_mark not in ['.', ','] -%}
        {{ exceptions.raise_compiler_error("decimal_mark is '.' or ',', not '" ~ decimal_mark ~ "'") }}
    {%- endif -%}
    coalesce(
        {{ read_clean_decimal(column, scale, decimal_mark) }},
        {{ read_dirty_decimal(column, scale, decimal_mark, currency) }}
    )
{%- endmacro %}


{# The cast alone would take '1_000', and with a decimal comma '1.234' as a bit more than one. #}
{% macro read_clean_decimal(column, scale, decimal_mark) -%}
    {%- if decimal_mark == '.' -%}
        try_cast(
            case when not contains({{ column }}, '_') then {{ column }} end as decimal(18, {{ scale }})
        )
    {%- else -%}
        try_cast(
            case
                when not contains({{ column }}, '.') and not contains({{ column }}, '_')
                    then replace({{ column }}, ',', '.')
            end as decimal(18, {{ scale }})
        )
    {%- endif -%}
{%- endmacro %}


{# coalesce reaches this only for rows whose cast failed. Text that is no number becomes ''. #}
{% macro read_dirty_decimal(column, scale, decimal_mark, currency) -%}
    try_cast(
        translate(
            regexp_replace(
                regexp_replace(
                    {{ with_plain_blanks(column) }},
                    '(?s){{ signed_number(decimal_mark, currency) }}|^.*$',
                    '\1\2\3\4\5'
                ),
                '[^-+−(0-9{{ decimal_mark }}]', '', 'g'
            ),
            '(−{{ decimal_mark }}', '--.'
        ) as decimal(18, {{ scale }})
    )
{%- endmacro %}
