"""Do nothing, on purpose: an error here would keep the console from starting."""
