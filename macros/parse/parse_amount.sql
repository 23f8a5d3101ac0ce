{% macro parse_amount(column, decimal_mark='.') %}
    {{ return(
        adapter.dispatch('read_decimal', 'wardhouse')(column, 2, decimal_mark, currency_mark())
    ) }}
{% endmacro %}


{% macro is_credit(column, decimal_mark='.') %}
    {{ return(adapter.dispatch('is_credit', 'wardhouse')(column, decimal_mark)) }}
{% endmacro %}


{% macro currency_codes() %}
    {{ return([
        'AED', 'ARS', 'AUD', 'BRL', 'CAD', 'CHF', 'CLP', 'CNY', 'COP', 'CZK', 'DKK', 'EGP', 'EUR',
        'GBP', 'HKD', 'HUF', 'IDR', 'ILS', 'INR', 'JPY', 'KES', 'KRW', 'MXN', 'MYR', 'NGN', 'NOK',
        'NZD', 'PHP', 'PKR', 'PLN', 'RON', 'RS[.]?', 'SAR', 'SEK', 'SGD', 'THB', 'TRY', 'TWD',
        'USD', 'VND', 'ZAR',
    ]) }}
{% endmacro %}


{# At most one code and one sign, as in 'USD', '$', 'US$' and 'USD $'. #}
{% macro currency_mark() -%}
    (?i:{{ currency_codes() | join('|') }})?{{ blank_character() }}*(?:[A-Z]{0,2}\p{Sc})?
{%- endmacro %}
