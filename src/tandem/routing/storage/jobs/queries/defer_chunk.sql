-- Leave what is open of a chunk to a later round.
UPDATE routing_jobs.chunk SET rounds = rounds + 1, due_at = %(due_at)s
WHERE job_id = %(job_id)s AND number = %(number)s AND NOT done AND rounds = %(rounds)s
