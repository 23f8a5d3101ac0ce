-- Minutes are rounded half away from zero, and fall below it where the second comes first.
with cases (start_at, end_at, expected) as (
    values
    (timestamp '2025-03-03 10:00:00', timestamp '2025-03-03 10:01:30', 1.50),
    (timestamp '2025-03-03 10:00:00', timestamp '2025-03-03 10:00:00.300', 0.01),
    (timestamp '2025-03-03 10:00:00', timestamp '2025-03-03 10:00:00.299', 0.00),
    (timestamp '2025-03-03 10:00:59', timestamp '2025-03-03 10:01:00', 0.02),
    (timestamp '2025-03-03 10:00:00', timestamp '2025-03-02 10:00:00', -1440.00),
    (timestamp '2025-03-03 10:00:00', null, null),
    (null, timestamp '2025-03-03 10:00:00', null)
),

results as (
    select start_at, end_at, expected, {{ minutes_between('start_at', 'end_at') }} as result
    from cases
)

select * from results
where result is distinct from expected
