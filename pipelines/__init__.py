"""Built-in recipes: one YAML file a pipeline, shipped as package data."""
