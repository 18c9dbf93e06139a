"""From usage and a tariff to a bill. No file, no clock, no database."""
