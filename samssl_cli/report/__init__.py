"""What people and programs read of the results: tables, CSV, JSON, and a page with pictures."""
