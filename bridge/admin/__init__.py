"""What people decide: key questions, settings, sites, shifts, enrolment, firmware updates."""
