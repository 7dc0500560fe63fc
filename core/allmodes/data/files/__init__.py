"""Reads what users bring: arrays, tables, images, data sets of their own."""
