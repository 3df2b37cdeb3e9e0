"""A gateway to bicycle routing by others: one domain, several providers, labelled answers.

`client` is for those who call it over HTTP, `service.open_gateway` for those who run it. The
courier sees only the client.
"""
