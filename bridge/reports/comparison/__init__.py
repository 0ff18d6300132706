"""Compare figures: differences with intervals, groups without places, targets. Verdicts come with words and signs."""
