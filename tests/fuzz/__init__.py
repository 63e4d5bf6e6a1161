"""Any bytes give what a reader returns, or an error that names the file: `python -m tests.fuzz`."""
