-- How much of each feed was refused, and of each of its columns could not be read. A view: a stream
-- adds records between the builds that make tables.
{{ config(materialized='view') }}

{{ intake_shares(of_all_areas('feeds'), ref('intake_thresholds')) }}
order by area, feed, measure, column_name
