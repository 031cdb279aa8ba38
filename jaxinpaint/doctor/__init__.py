"""What would spoil a run, found before it starts: each check gives findings."""
