-- The canary that is under way, or was last.
SELECT run, version, candidate, baseline, status, stage,
       extract(epoch FROM since)::float8, reason
FROM routing_change.canary
