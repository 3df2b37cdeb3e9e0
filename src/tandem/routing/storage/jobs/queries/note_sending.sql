-- Note that a submission is about to be sent, before it is.
UPDATE routing_jobs.submission SET sent_at = coalesce(sent_at, %(now)s), attempts = attempts + 1
WHERE job_id = %(job_id)s AND state = 'intended'
