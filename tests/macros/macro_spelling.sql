-- Spellings of one word agree in their letters and digits.
with cases (text, expected) as (
    values
    ('No-show', 'noshow'),
    ('NO SHOW', 'noshow'),
    (' no_show ', 'noshow'),
    ('Follow-up', 'followup'),
    ('Café 2', 'cafe2'),
    ('--', ''),
    ('', ''),
    (null, null)
),

results as (
    select text, expected, {{ spelling('text') }} as result from cases
)

select * from results
where result is distinct from expected
