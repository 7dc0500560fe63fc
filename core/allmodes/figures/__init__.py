"""Figures: samples beside the truth, as points in a plane or images in a grid."""
