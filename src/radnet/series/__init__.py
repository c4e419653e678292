"""From instances to stacks: one geometrically consistent volume each, with a verdict on its positions."""
