-- Move the canary on, if nobody moved it before, and write the move down.
WITH moved AS (
    INSERT INTO routing_change.canary
        (run, version, candidate, baseline, status, stage, since, reason)
    VALUES (%(run)s, %(version)s, %(candidate)s, %(baseline)s, %(status)s, %(stage)s,
            to_timestamp(%(since_s)s), %(reason)s)
    ON CONFLICT (id) DO UPDATE
    SET run = excluded.run,
        version = excluded.version,
        candidate = excluded.candidate,
        baseline = excluded.baseline,
        status = excluded.status,
        stage = excluded.stage,
        since = excluded.since,
        reason = excluded.reason
    WHERE canary.version = excluded.version - 1
    RETURNING run, version, candidate, baseline, status, stage, since, reason
)
INSERT INTO routing_change.move
    (run, version, candidate, baseline, status, stage, moved_at, reason)
SELECT run, version, candidate, baseline, status, stage, since, reason FROM moved
RETURNING 1
