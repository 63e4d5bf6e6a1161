"""Tests of the evidence: its parts of the data, its statistics, its arms."""
