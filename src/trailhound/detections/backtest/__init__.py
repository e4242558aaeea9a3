"""What rules would have told on a history, what makes most of it, and what would quiet it at which price."""
