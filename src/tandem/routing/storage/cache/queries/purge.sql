-- Forget all that touches an area, and say so to the other processes.
WITH said AS (
    INSERT INTO routing_cache.purge (area) VALUES (%(area)s::box)
), gone AS (
    DELETE FROM routing_cache.entry WHERE area && %(area)s::box RETURNING 1
)
SELECT count(*) FROM gone
