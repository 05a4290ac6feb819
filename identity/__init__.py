"""Identity room: who is who, and why."""
