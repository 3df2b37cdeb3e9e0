SELECT pg_advisory_xact_lock(hashtextextended('routing jobs of ' || %(tenant)s, 0))
