-- Halves go away from zero, also where a double holds a bit less than the half.
with decimal_cases (value, expected) as (
    values
    (1.005::decimal(18, 3), 1.01::decimal(18, 2)),
    (-1.005, -1.01),
    (1.004, 1.00),
    (2.675, 2.68),
    (0.125, 0.13),
    (0, 0),
    (null, null)
),

double_cases (value, expected) as (
    values
    (1.005::double, 1.01::decimal(18, 2)),
    (-1.005, -1.01),
    (0.285, 0.29),
    (2.675, 2.68),
    (123456.785, 123456.79),
    (1234567.005, 1234567.01),
    (1.1::double * 1.1::double * 0.5::double, 0.61),
    (0.1::double + 0.2::double, 0.30),
    (1.00499, 1.00),
    (null, null)
),

whole_cases (value, expected) as (
    values
    (2.5::double, 3::decimal(18, 0)),
    (3.5, 4),
    (-2.5, -3),
    (2.4999, 2)
),

results as (
    select value::varchar as value, expected, {{ round_half_up('value', 2) }} as result
    from decimal_cases
    union all
    select value::varchar as value, expected, {{ round_half_up('value', 2) }} as result
    from double_cases
    union all
    select value::varchar as value, expected, {{ round_half_up('value', 0) }} as result
    from whole_cases
)

select * from results
where result is distinct from expected
