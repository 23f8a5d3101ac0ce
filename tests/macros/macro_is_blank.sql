-- Blank are nothing, every kind of blank, and the words people write for nothing; nothing else is.
with cases (text, expected) as (
    values
    (null, true),
    ('', true),
    (' ', true),
    (chr(9) || chr(10) || chr(13), true),
    (chr(160), true),
    (' ' || chr(8239) || chr(8203) || chr(65279), true),
    ('N/A', true),
    ('n/a', true),
    ('#N/A', true),
    ('<NA>', true),
    ('NA', true),
    ('null', true),
    ('NULL', true),
    ('None', true),
    ('nil', true),
    ('NaN', true),
    ('-', true),
    ('--', true),
    ('?', true),
    ('.', true),
    ('Unknown', true),
    ('  unknown' || chr(160), true),
    ('\N', true),
    ('\n', true),
    ('[NULL]', true),
    ('(null)', true),
    ('<null>', true),
    ('NaT', true),
    ('#REF!', true),
    ('#DIV/0!', true),
    ('""', true),
    ('''''', true),
    (chr(8212), true),
    ('n.a.', true),
    ('nXaX', false),
    ('N', false),
    ('(nul)', false),
    ('0', false),
    ('00', false),
    ('---', false),
    ('??', false),
    ('..', false),
    ('N/A 5', false),
    ('nan1', false),
    ('Nancy', false),
    ('unknown doctor', false),
    ('x', false),
    ('-1', false)
),

results as (
    select text, expected, {{ is_blank('text') }} as result from cases
)

select * from results
where result is distinct from expected
