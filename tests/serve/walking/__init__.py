"""A small real task whose models go on step by step."""
