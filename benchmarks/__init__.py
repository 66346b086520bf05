"""Measurements of the real product beside peers, in the same run. Ratios count; machines are noisy."""
