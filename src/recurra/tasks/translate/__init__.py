"""Parallel text: a text in another form."""
