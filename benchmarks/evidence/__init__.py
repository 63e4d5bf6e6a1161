"""Does the student beat plain multi-task training? The protocol, its runs, and their statistics."""
