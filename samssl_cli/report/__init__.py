"""What people and programs read of the results: tables, CSV, JSON."""
