"""Headers, read once: from files to instances."""
