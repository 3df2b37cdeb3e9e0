-- Move a job on if it is still where it may come from; a job that ends calls back.
WITH moved AS (
    UPDATE routing_jobs.job
    SET state = %(state)s,
        finished_at = CASE WHEN %(finishes)s THEN %(now)s ELSE finished_at END
    WHERE job_id = %(job_id)s AND state = ANY(%(before)s)
    RETURNING job_id
), entered AS (
    INSERT INTO routing_jobs.transition (job_id, state, at)
    SELECT job_id, %(state)s, %(now)s FROM moved
), called AS (
    UPDATE routing_jobs.callback SET state = 'due', due_at = %(now)s
    FROM moved
    WHERE callback.job_id = moved.job_id AND callback.state = 'waiting' AND %(finishes)s
)
SELECT job_id FROM moved
