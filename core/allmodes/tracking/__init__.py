"""Tracking with MLflow: one observer of runs, what is sent later, and MLflow's UI."""

from allmodes.tracking.address import default_store
from allmodes.tracking.fetching import download
from allmodes.tracking.observer import MlflowObserver
from allmodes.tracking.server import TrackingError, ui
from allmodes.tracking.sync import sync

__all__ = ["MlflowObserver", "TrackingError", "default_store", "download", "sync", "ui"]
