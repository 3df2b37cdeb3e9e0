-- Put right what a call cost: `excess` more than was taken, or less where it is below 0.
INSERT INTO rate_limit.bucket AS bucket (key, full_at_s, asked_at_s, granted)
SELECT %(key)s,
       now_s + least(%(excess)s * %(credit_s)s, %(burst)s * %(credit_s)s + %(debt_s_max)s),
       now_s,
       0
FROM (
    SELECT coalesce(%(now_s)s::float8, extract(epoch FROM clock_timestamp())::float8) AS now_s
) AS clock
ON CONFLICT (key) DO UPDATE
SET full_at_s = least(
        greatest(bucket.full_at_s, excluded.asked_at_s) + %(excess)s * %(credit_s)s,
        greatest(
            bucket.full_at_s,
            excluded.asked_at_s + %(burst)s * %(credit_s)s + %(debt_s_max)s
        )
    ),
    asked_at_s = excluded.asked_at_s
