SELECT request FROM routing_jobs.item WHERE job_id = %(job_id)s ORDER BY index
