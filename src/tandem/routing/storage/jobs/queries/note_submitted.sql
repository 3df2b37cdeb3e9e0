UPDATE routing_jobs.submission
SET state = 'submitted', provider_job_id = %(provider_job_id)s, due_at = %(due_at)s
WHERE job_id = %(job_id)s AND state = 'intended'
