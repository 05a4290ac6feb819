"""Golden and findings of a day, from those of the run before: what changed, whom it touches, a small city, a merge."""
