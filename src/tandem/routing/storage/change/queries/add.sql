-- Add what a process saw of a stage to what the others saw.
INSERT INTO routing_change.seen (run, stage, what, count)
SELECT %(run)s, %(stage)s, what, count
FROM unnest(%(what)s::text[], %(counts)s::bigint[]) AS saw (what, count)
ORDER BY what
ON CONFLICT (run, stage, what) DO UPDATE
SET count = seen.count + excluded.count
