"""Scans with known truth, for tests and the demo: anatomy, tissue, acquisition, archive."""
