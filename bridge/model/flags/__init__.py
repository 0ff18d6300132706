"""What looks wrong in the data: statistics that compare a seller's month with other sellers' months. Pure."""
