"""Text of any kind: what comes next in it, and how surprising what came is."""
