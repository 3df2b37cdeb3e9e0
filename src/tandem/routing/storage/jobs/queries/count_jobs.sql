-- How many jobs are remembered, by state.
SELECT state, count(*) FROM routing_jobs.job GROUP BY state
