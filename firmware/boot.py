"""Almost empty on purpose: whatever failed here would keep the console from starting."""
