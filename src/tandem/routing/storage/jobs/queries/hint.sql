-- Note a message, once, and look at the provider's job that it is about now.
WITH fresh AS (
    INSERT INTO routing_jobs.received (message_id, received_at) VALUES (%(message_id)s, %(now)s)
    ON CONFLICT DO NOTHING
    RETURNING message_id
)
UPDATE routing_jobs.submission SET due_at = %(now)s
FROM fresh
WHERE provider_job_id = %(provider_job_id)s AND state = 'submitted'
