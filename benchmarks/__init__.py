"""Measurements, each taken in turn with what it is compared with, in one process."""
