"""Whether an answer can be true: the mistakes that a schema does not see.

Mixed-up latitude and longitude, a line of the wrong precision, kilometres for metres, milliseconds
for seconds and spikes in the terrain all give numbers of the right type.
"""
