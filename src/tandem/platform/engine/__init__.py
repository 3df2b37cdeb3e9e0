"""A real bicycle-routing engine over real map data, run as a child process on loopback.

`prepare_engine(directory)` gets the Helsinki extract, writes a synthetic terrain and builds the
tiles (once); `ValhallaEngine(tiles)` serves them. Nothing here knows Tandem's own contracts.
"""
