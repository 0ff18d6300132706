"""Nothing lost, nothing twice: everything is broken in a seeded order, and the result compared with what people did."""
