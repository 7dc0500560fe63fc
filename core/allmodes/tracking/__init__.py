"""Tracking with MLflow: one observer of runs, and MLflow's UI."""

from allmodes.tracking.address import default_store
from allmodes.tracking.observer import MlflowObserver
from allmodes.tracking.server import TrackingError, ui

__all__ = ["MlflowObserver", "TrackingError", "default_store", "ui"]
