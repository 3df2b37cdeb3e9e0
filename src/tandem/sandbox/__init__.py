"""A stand-in for the Bikemap API: its contract, over real HTTP, on a real routing engine.

Bikemap publishes no developer API, so the contract is ours to specify; this package is its other
side and imports nothing of the gateway that uses it. `main.run` serves it as a process.
"""
