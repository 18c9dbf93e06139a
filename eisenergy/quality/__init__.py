"""What is wrong with a meter's readings, and how the missing ones are estimated."""
