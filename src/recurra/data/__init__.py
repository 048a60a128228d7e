"""Reading what users bring: files and frames, numbers and times as people write them."""
