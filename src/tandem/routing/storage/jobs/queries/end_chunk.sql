UPDATE routing_jobs.chunk SET done = true
WHERE job_id = %(job_id)s AND number = %(number)s AND NOT done
