"""Training: the loop, devices, checkpoints and reports. Knows no network and no loss."""
