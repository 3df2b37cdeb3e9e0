-- Take credits from a bucket: `cost` at least, `wish` where so many are free. One row comes back:
-- what was granted, or, with granted null, when the bucket is full and what time it is.
-- `back` are credits that were taken earlier and are not wanted.
WITH taken AS (
    INSERT INTO rate_limit.bucket AS bucket (key, full_at_s, asked_at_s, granted)
    SELECT %(key)s,
           now_s + greatest(%(cost)s, least(%(wish)s, %(burst)s)) * %(credit_s)s,
           now_s,
           greatest(%(cost)s, least(%(wish)s, %(burst)s))
    FROM (
        SELECT coalesce(%(now_s)s::float8, extract(epoch FROM clock_timestamp())::float8) AS now_s
    ) AS clock
    ON CONFLICT (key) DO UPDATE
    -- The time is that of before the wait for the row: the earlier time is the stricter one.
    SET full_at_s = greatest(bucket.full_at_s - %(back)s * %(credit_s)s, excluded.asked_at_s)
            + %(credit_s)s * greatest(%(cost)s, least(%(wish)s, %(burst)s - greatest(0,
                bucket.full_at_s - %(back)s * %(credit_s)s - excluded.asked_at_s) / %(credit_s)s)),
        granted = greatest(%(cost)s, least(%(wish)s, %(burst)s - greatest(0,
                bucket.full_at_s - %(back)s * %(credit_s)s - excluded.asked_at_s) / %(credit_s)s)),
        asked_at_s = excluded.asked_at_s
    WHERE greatest(0, bucket.full_at_s - %(back)s * %(credit_s)s - excluded.asked_at_s)
        <= (%(burst)s * (1 + %(slack)s) - least(%(cost)s, %(burst)s)) * %(credit_s)s
    RETURNING granted, full_at_s, asked_at_s
)
SELECT granted, full_at_s, asked_at_s FROM taken
UNION ALL
SELECT NULL, full_at_s,
       coalesce(%(now_s)s::float8, extract(epoch FROM clock_timestamp())::float8)
FROM rate_limit.bucket
WHERE key = %(key)s AND NOT EXISTS (SELECT FROM taken)
