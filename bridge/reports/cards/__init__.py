"""Make cards for print: the key question for the customer, and for the seller how to ask it."""
