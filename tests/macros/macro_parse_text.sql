-- A text loses the blanks around it, whatever kind they are; a placeholder says nothing.
with cases (text, expected) as (
    values
    ('Firefox', 'Firefox'),
    (' Mobile Phone ', 'Mobile Phone'),
    (chr(160) || 'Tablet' || chr(9), 'Tablet'),
    ('a' || chr(160) || 'b', 'a' || chr(160) || 'b'),
    ('0', '0'),
    ('', null),
    ('  ', null),
    ('N/A', null),
    ('None', null),
    ('NaN', null),
    (null, null)
),

results as (
    select text, expected, {{ parse_text('text') }} as result from cases
)

select * from results
where result is distinct from expected
