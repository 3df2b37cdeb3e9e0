-- Keep results, each once, and only while the job runs: the lock lets nobody end it meanwhile.
WITH running AS (
    SELECT job_id FROM routing_jobs.job
    WHERE job_id = %(job_id)s AND state = 'running'
    FOR SHARE
)
INSERT INTO routing_jobs.result (job_id, index, succeeded, body)
SELECT job_id, index, succeeded, body
FROM running, unnest(%(indexes)s::integer[], %(succeeded)s::boolean[], %(bodies)s::text[])
    AS given (index, succeeded, body)
ON CONFLICT (job_id, index) DO NOTHING
