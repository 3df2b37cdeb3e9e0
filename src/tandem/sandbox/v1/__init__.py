"""Version 1, the deprecated one: GraphHopper's shape, its units, its orders and its errors.

It computes what version 2 computes and says it in other words, so that the two agree on routes.
"""
