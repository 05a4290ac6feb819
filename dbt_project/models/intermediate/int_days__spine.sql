-- One row per day: the line of time on which metrics are asked, from the first figures of the city to the day of the run.
select day_on
from (select cast(unnest(generate_series(date '2000-01-01', {{ as_of() }}, interval 1 day)) as date) as day_on) as days
