"""The doors: command line, the steps of a run, the demo."""
