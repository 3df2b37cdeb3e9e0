"""The JSON of our own API, for both ends: requests strictly, answers as documented.

Places are degrees (WGS 84), distances and heights metres, durations seconds. A member may be added
to an answer within a version, never taken away or given another meaning.
"""
