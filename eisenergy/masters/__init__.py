"""Master data that arrives as files: clients, customers and block calendars."""
