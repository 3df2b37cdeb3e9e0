-- A submission that is due.
SELECT submission.state, provider_job_id, callback_url, sent_at, attempts,
    job.state IN ('queued', 'running') AS wanted
FROM routing_jobs.submission JOIN routing_jobs.job USING (job_id)
WHERE job_id = %(job_id)s AND submission.state IN ('intended', 'submitted') AND due_at <= %(now)s
