"""Known kinds of model, written from their papers in plain torch.nn. Run by ../accelerate.py."""
