"""Task cards: one YAML file a task, shipped as package data."""
