"""What the numbers mean to a customer and to the seller."""
