-- End a submission; where it is abandoned, cut what has no result into chunks of our own.
WITH ended AS (
    UPDATE routing_jobs.submission SET state = %(state)s, last_error = %(error)s
    WHERE job_id = %(job_id)s AND state IN ('intended', 'submitted')
    RETURNING job_id, state
)
INSERT INTO routing_jobs.chunk (job_id, number, rounds, due_at, done)
SELECT job_id, number, 0, %(now)s, false
FROM ended JOIN routing_jobs.job USING (job_id),
    generate_series(0, (job.items - 1) / %(chunk_items)s) AS number
WHERE ended.state = 'abandoned' AND job.state IN ('queued', 'running')
ON CONFLICT DO NOTHING
