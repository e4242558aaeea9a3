"""From raw AWS CloudTrail logs to an answer you can defend."""

__version__ = "0.1.0"
