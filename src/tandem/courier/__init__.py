"""The courier: bicycle deliveries priced by real routes and paid through the ledger."""
