"""The demo city: invented people, the simulators of their four systems, and the true answer."""
