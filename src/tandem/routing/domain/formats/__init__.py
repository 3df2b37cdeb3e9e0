"""Routes as files that other programs read: GeoJSON (RFC 7946) and GPX 1.1."""
