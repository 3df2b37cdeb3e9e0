UPDATE routing_jobs.callback
SET state = %(state)s, attempts = attempts + 1, due_at = %(due_at)s, last_error = %(error)s
WHERE job_id = %(job_id)s AND state = 'due' AND attempts = %(attempts)s
