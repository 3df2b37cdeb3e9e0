-- Forget a job altogether, and messages that are too old to come again.
WITH received AS (
    DELETE FROM routing_jobs.received WHERE received_at <= %(received_before)s
)
DELETE FROM routing_jobs.job WHERE job_id = %(job_id)s AND finished_at <= %(forgotten_before)s
