"""Labels: rules vote on what the headers say, people decide where they differ."""
