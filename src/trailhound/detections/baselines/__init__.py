"""What is not normal for an actor, by its own past and by its peers'; read `baseline` first."""
