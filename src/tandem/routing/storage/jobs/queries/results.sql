-- Results in item order from an index on, as many as fit a page, the first of them always.
SELECT index, succeeded, body
FROM (
    SELECT index, succeeded, body,
        sum(octet_length(body)) OVER (ORDER BY index) - octet_length(body) AS bytes_before
    FROM (
        SELECT index, succeeded, body FROM routing_jobs.result
        WHERE job_id = %(job_id)s AND index >= %(first)s
        ORDER BY index LIMIT %(limit)s
    ) AS page
) AS measured
WHERE bytes_before < %(bytes_max)s
ORDER BY index
