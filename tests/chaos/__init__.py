"""Break everything in a seeded order, then check that the bridge has each press once and lost none."""
