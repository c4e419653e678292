"""From stacks to volumes: decode, resize, map to grey levels, store."""
