-- A message that is due, and what it says: how the job ended, even if it has expired since.
SELECT callback.url, callback.secret, callback.attempts, ended.state, job.finished_at
FROM routing_jobs.callback
    JOIN routing_jobs.job USING (job_id)
    JOIN routing_jobs.transition AS ended USING (job_id)
WHERE job_id = %(job_id)s AND callback.state = 'due' AND due_at <= %(now)s
    AND ended.state IN ('succeeded', 'partially_failed', 'failed', 'cancelled')
