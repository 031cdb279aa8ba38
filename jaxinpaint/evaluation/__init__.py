"""Judging: metrics, baselines, comparisons."""
