"""Sequences and the classes they belong to: texts, events, measurements over time."""
