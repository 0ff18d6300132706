"""Store what people decide: key questions, settings, sites, shifts, enrolment and firmware updates."""
