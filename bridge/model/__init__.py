"""What a survey, an epoch and a console are: rules, dates and periods, without database, I/O or clock."""
