-- Service lines that nobody foresaw are inferred members, and what names none is the unknown one.
{{ open_list('service_line', ref('service_lines'), ref('fct_encounters')) }}
