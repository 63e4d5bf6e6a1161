"""Sample data in the official GLUE formats, and the program that writes it."""
