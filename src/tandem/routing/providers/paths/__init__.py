"""The API of paths that GraphHopper and version 1 of Bikemap share, each in its own dialect.

`adapter` asks; `questions`, `replies` and `faults` are pure: the domain's words there and back.
"""
