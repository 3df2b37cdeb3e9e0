-- The items between two indexes of an active job that have no result yet.
SELECT item.index, item.request
FROM routing_jobs.item JOIN routing_jobs.job USING (job_id)
WHERE job_id = %(job_id)s AND item.index >= %(first)s AND item.index < %(end)s
    AND job.state IN ('queued', 'running')
    AND NOT EXISTS (
        SELECT FROM routing_jobs.result
        WHERE result.job_id = item.job_id AND result.index = item.index
    )
ORDER BY item.index
