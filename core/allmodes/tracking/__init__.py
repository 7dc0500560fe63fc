"""Tracking with MLflow: one observer of runs, what is sent later, and MLflow's UI."""

from allmodes.tracking.address import default_store
from allmodes.tracking.fetching import download
from allmodes.tracking.observer import MlflowObserver
from allmodes.tracking.registering import check_name, register
from allmodes.tracking.server import TrackingError, ui
from allmodes.tracking.sync import sync

__all__ = ["MlflowObserver", "TrackingError", "check_name", "default_store", "download", "register", "sync", "ui"]
