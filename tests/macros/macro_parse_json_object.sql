-- Only an object is one, whatever blanks and numbers look like; whatever else is null.
with cases (text, expected) as (
    values
    ('{"a": 1}', '{"a":1}'),
    ('  { "a" : 1.50 , "b":[ 1, {"c":null} ] }  ', '{"a":1.5,"b":[1,{"c":null}]}'),
    ('{}', '{}'),
    ('{"a": "x  y"}', '{"a":"x  y"}'),
    ('{a: 1}', null),
    ('{"a": 1', null),
    ('{"a": 1} {"b": 2}', null),
    ('[{"a": 1}]', null),
    ('"{}"', null),
    ('1', null),
    ('null', null),
    ('text', null),
    ('', null),
    (null, null)
),

results as (
    select text, expected, {{ parse_json_object('text') }} as result from cases
)

select * from results
where result is distinct from expected
