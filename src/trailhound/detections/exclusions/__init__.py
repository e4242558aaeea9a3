"""Exclusions: findings that are expected, set aside for a reason, by somebody, until a day."""
