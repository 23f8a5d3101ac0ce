-- Drift: columns that files hold and the project does not declare. Nothing reads them.
select
    area,
    feed,
    source_file,
    column_name
from {{ source('landing', 'undeclared_columns') }}
order by area, feed, source_file, column_name
