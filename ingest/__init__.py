"""Landing room: contracts, connectors, receipts, quarantine. Nothing is lost here."""
