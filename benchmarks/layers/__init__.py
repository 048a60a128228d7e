"""Recurra's layers against torch.nn's: speed, memory, accuracy and single steps. Run by ../kernels.py."""
