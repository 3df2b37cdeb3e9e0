-- What all processes saw of a stage.
SELECT what, count FROM routing_change.seen WHERE run = %(run)s AND stage = %(stage)s
