"""Weights of published programs in, weights and programs out."""
