-- Since when the oldest piece of work is due; null where none is.
SELECT least(
    (
        SELECT min(chunk.due_at)
        FROM routing_jobs.job JOIN routing_jobs.chunk USING (job_id)
        WHERE job.state IN ('queued', 'running') AND NOT chunk.done AND chunk.due_at <= %(now)s
    ),
    (
        SELECT min(due_at) FROM routing_jobs.submission
        WHERE state IN ('intended', 'submitted') AND due_at <= %(now)s
    ),
    (
        SELECT min(due_at) FROM routing_jobs.callback
        WHERE state = 'due' AND due_at <= %(now)s
    )
)
