SELECT items,
    (SELECT count(*) FROM routing_jobs.result
        WHERE result.job_id = job.job_id AND result.succeeded),
    (SELECT count(*) FROM routing_jobs.result
        WHERE result.job_id = job.job_id AND NOT result.succeeded)
FROM routing_jobs.job
WHERE job_id = %(job_id)s
