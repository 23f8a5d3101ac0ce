-- The first key that says something counts; a value of any kind is text.
with cases (object_text, expected) as (
    values
    ('{"new": "x", "old": "y"}', 'x'),
    ('{"old": "y"}', 'y'),
    ('{"new": null, "old": "y"}', 'y'),
    ('{"new": "", "old": "y"}', ''),
    ('{"new": 1.5}', '1.5'),
    ('{"new": false}', 'false'),
    ('{"new": {"old": 1}}', '{"old":1}'),
    ('{"New": "x"}', null),
    ('{"other": {"new": 1}}', null),
    ('{}', null),
    (null, null)
),

results as (
    select object_text, expected, {{ json_field('object_text', ['new', 'old']) }} as result
    from cases
)

select * from results
where result is distinct from expected
