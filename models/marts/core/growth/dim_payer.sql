-- Payers that nobody foresaw are inferred members, and what names none is the unknown one.
{{ open_list('payer', ref('payers'), ref('fct_encounters')) }}
