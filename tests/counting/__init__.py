"""A small real task, laid out as recurra's own are."""
