"""Cards for print: the key question for the customer, and how to ask it for the seller."""
