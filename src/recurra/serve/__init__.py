"""The server: bundles over HTTP, and their streams over WebSockets. `recurra serve` runs it."""
