-- What is due now. Chunks of each tenant take turns, so that a big job does not hold up others'.
(
    SELECT 'chunk' AS what, job_id, number
    FROM (
        SELECT chunk.job_id, chunk.number,
            row_number() OVER (
                PARTITION BY job.tenant ORDER BY job.created_at, job.job_id, chunk.number
            ) AS turn
        FROM routing_jobs.chunk JOIN routing_jobs.job USING (job_id)
        WHERE NOT chunk.done AND chunk.due_at <= %(now)s AND job.state IN ('queued', 'running')
    ) AS waiting
    ORDER BY turn LIMIT %(limit)s
)
UNION ALL
(
    SELECT 'submission', job_id, 0
    FROM routing_jobs.submission
    WHERE state IN ('intended', 'submitted') AND due_at <= %(now)s
    ORDER BY due_at LIMIT %(limit)s
)
UNION ALL
(
    SELECT 'callback', job_id, 0
    FROM routing_jobs.callback
    WHERE state = 'due' AND due_at <= %(now)s
    ORDER BY due_at LIMIT %(limit)s
)
UNION ALL
(
    SELECT 'expiry', job_id, 0
    FROM routing_jobs.job
    WHERE finished_at <= %(expired_before)s AND state <> 'expired'
        OR finished_at <= %(forgotten_before)s
    ORDER BY finished_at LIMIT %(limit)s
)
