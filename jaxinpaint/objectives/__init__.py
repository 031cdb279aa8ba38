"""Objectives: arrays in, one value per image out. No networks, no parameters."""
