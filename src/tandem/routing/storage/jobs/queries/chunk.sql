-- A chunk that is due, of an active job.
SELECT chunk.rounds, job.kind, job.tenant
FROM routing_jobs.chunk JOIN routing_jobs.job USING (job_id)
WHERE job_id = %(job_id)s AND number = %(number)s AND NOT done AND due_at <= %(now)s
    AND job.state IN ('queued', 'running')
