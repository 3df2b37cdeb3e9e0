-- A message that is due, and what it says.
SELECT callback.url, callback.secret, callback.attempts, job.state, job.finished_at
FROM routing_jobs.callback JOIN routing_jobs.job USING (job_id)
WHERE job_id = %(job_id)s AND callback.state = 'due' AND due_at <= %(now)s
