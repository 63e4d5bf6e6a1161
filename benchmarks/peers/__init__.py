"""What mtkd is compared with, used as its own documentation does."""
