"""Measurements side by side with other ways of doing the same job; run by the Makefile."""
