-- Every age belongs to one group, and 18 to the adults.
with cases (age, expected) as (
    values
    (0, 'Under 18'),
    (17, 'Under 18'),
    (18, '18-34'),
    (34, '18-34'),
    (35, '35-49'),
    (49, '35-49'),
    (50, '50-64'),
    (64, '50-64'),
    (65, '65+'),
    (120, '65+'),
    (null, null)
),

results as (
    select age, expected, {{ age_group('age') }} as result from cases
)

select * from results
where result is distinct from expected
