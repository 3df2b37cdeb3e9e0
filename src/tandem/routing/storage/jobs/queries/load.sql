-- How many unfinished jobs a tenant has, and how many items are in them.
SELECT count(*), coalesce(sum(items), 0)
FROM routing_jobs.job
WHERE tenant = %(tenant)s AND state IN ('queued', 'running')
