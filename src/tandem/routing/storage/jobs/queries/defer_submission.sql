UPDATE routing_jobs.submission SET due_at = %(due_at)s, last_error = %(error)s
WHERE job_id = %(job_id)s AND state IN ('intended', 'submitted')
