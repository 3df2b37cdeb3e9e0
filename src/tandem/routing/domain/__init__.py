"""The words of bicycle routing: places, requests, routes, lines, errors. Pure."""
