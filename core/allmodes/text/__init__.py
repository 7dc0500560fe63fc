"""Texts for people: safe to print, without secrets. Loads nothing."""
