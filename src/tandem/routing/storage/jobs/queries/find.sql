-- A job, by its own id or by its tenant and key.
SELECT job.job_id, job.tenant, job.fingerprint, job.kind, job.state, job.created_at,
    job.finished_at, job.items,
    coalesce(job.succeeded, (SELECT count(*) FROM routing_jobs.result
        WHERE result.job_id = job.job_id AND result.succeeded)),
    coalesce(job.failed, (SELECT count(*) FROM routing_jobs.result
        WHERE result.job_id = job.job_id AND NOT result.succeeded)),
    callback.state, callback.attempts, callback.last_error
FROM routing_jobs.job LEFT JOIN routing_jobs.callback USING (job_id)
WHERE job.job_id = %(job_id)s OR (tenant = %(tenant)s AND idempotency_key = %(idempotency_key)s)
