"""Recordings of speech: what is said in them."""
