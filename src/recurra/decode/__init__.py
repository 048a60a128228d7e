"""From what a model foretells to what is written."""
