-- What is due now. Chunks of each tenant take turns, so that a big job does not hold up others'.
-- However much waits, only the first few chunks of a tenant are looked at.
(
    SELECT 'chunk' AS what, job_id, number
    FROM (
        SELECT DISTINCT tenant FROM routing_jobs.job WHERE state IN ('queued', 'running')
    ) AS waiting CROSS JOIN LATERAL (
        SELECT job.job_id, open.number, job.created_at
        FROM routing_jobs.job CROSS JOIN LATERAL (
            SELECT number FROM routing_jobs.chunk
            WHERE chunk.job_id = job.job_id AND NOT done AND due_at <= %(now)s
            ORDER BY number LIMIT %(tenant_limit)s
        ) AS open
        WHERE job.tenant = waiting.tenant AND job.state IN ('queued', 'running')
        ORDER BY job.created_at, job.job_id, open.number LIMIT %(tenant_limit)s
    ) AS first
    ORDER BY row_number() OVER (
        PARTITION BY tenant ORDER BY created_at, job_id, number
    )
    LIMIT %(limit)s
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
