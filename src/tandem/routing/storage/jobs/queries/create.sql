-- Make a job with all that belongs to it; nothing where its key is taken.
WITH made AS (
    INSERT INTO routing_jobs.job
        (job_id, tenant, idempotency_key, fingerprint, kind, items, state, created_at)
    VALUES (%(job_id)s, %(tenant)s, %(idempotency_key)s, %(fingerprint)s, %(kind)s,
        cardinality(%(requests)s::text[]), 'queued', %(now)s)
    ON CONFLICT (tenant, idempotency_key) DO NOTHING
    RETURNING job_id
), entered AS (
    INSERT INTO routing_jobs.transition (job_id, state, at)
    SELECT job_id, 'queued', %(now)s FROM made
), asked AS (
    INSERT INTO routing_jobs.item (job_id, index, request)
    SELECT job_id, number - 1, request
    FROM made, unnest(%(requests)s::text[]) WITH ORDINALITY AS given (request, number)
), cut AS (
    INSERT INTO routing_jobs.chunk (job_id, number, rounds, due_at, done)
    SELECT job_id, number, 0, %(now)s, false
    FROM made, generate_series(0, %(chunks)s - 1) AS number
    WHERE NOT %(submit)s
), submitted AS (
    INSERT INTO routing_jobs.submission (job_id, callback_url, state, attempts, due_at)
    SELECT job_id, %(provider_callback_url)s, 'intended', 0, %(now)s FROM made WHERE %(submit)s
), called AS (
    INSERT INTO routing_jobs.callback (job_id, url, secret, state, attempts, due_at)
    SELECT job_id, %(callback_url)s, %(callback_secret)s, 'waiting', 0, %(now)s FROM made
    WHERE %(callback_url)s::text IS NOT NULL
)
SELECT job_id FROM made
