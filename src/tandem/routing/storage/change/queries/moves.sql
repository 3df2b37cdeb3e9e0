-- The last moves, the newest first.
SELECT run, version, candidate, baseline, status, stage,
       extract(epoch FROM moved_at)::float8, reason
FROM routing_change.move
ORDER BY version DESC
LIMIT %(limit)s
