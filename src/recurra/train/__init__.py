"""Trains any task's model, and goes on after a crash as if nothing had happened."""
