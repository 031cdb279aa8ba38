"""The network that comes along and fills holes right after installation (MODEL_CARD.md)."""

from pathlib import Path

NETWORK = Path(__file__).parent / "membrane.safetensors"

NAME = "membrane"
"""What it is called where methods are named."""
