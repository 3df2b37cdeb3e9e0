-- Forget the items and results of a job that finished long ago, but not how many they were.
WITH moved AS (
    UPDATE routing_jobs.job SET state = 'expired',
        succeeded = (SELECT count(*) FROM routing_jobs.result
            WHERE result.job_id = job.job_id AND result.succeeded),
        failed = (SELECT count(*) FROM routing_jobs.result
            WHERE result.job_id = job.job_id AND NOT result.succeeded)
    WHERE job_id = %(job_id)s AND finished_at <= %(expired_before)s AND state = ANY(%(before)s)
    RETURNING job_id
), entered AS (
    INSERT INTO routing_jobs.transition (job_id, state, at)
    SELECT job_id, 'expired', %(now)s FROM moved
)
DELETE FROM routing_jobs.item USING moved WHERE item.job_id = moved.job_id
