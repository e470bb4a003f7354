"""Oscar's checkout, with a payment vendor."""
