"""The providers behind one port. Their words, units and errors end here."""
