"""Measures of a trained model, and what real data score on them with as many samples."""

from allmodes.metrics.base import Better, Evaluation, Metric, built, floors
from allmodes.metrics.classes import Share, classes_of, classes_of_samples
from allmodes.metrics.clustering import Clustering, agreement, contingency
from allmodes.metrics.conditional import Conditional
from allmodes.metrics.diversity import Vendi, vendi
from allmodes.metrics.inversion import Ivom
from allmodes.metrics.modes import ClassCoverage, Modes, kl, variance_ratio_floor
from allmodes.metrics.moments import Fid, Kid, frechet, polynomial_mmd
from allmodes.metrics.neighbours import DensityCoverage, PrecisionRecall
from allmodes.metrics.spaces import FeatureMetric, Spaces
from allmodes.metrics.stacked_mnist import StackedModes
from allmodes.metrics.transport import SlicedWasserstein, Wasserstein

__all__ = [
    "Better",
    "ClassCoverage",
    "Clustering",
    "Conditional",
    "DensityCoverage",
    "Evaluation",
    "FeatureMetric",
    "Fid",
    "Ivom",
    "Kid",
    "Metric",
    "Modes",
    "PrecisionRecall",
    "Share",
    "SlicedWasserstein",
    "Spaces",
    "StackedModes",
    "Vendi",
    "Wasserstein",
    "agreement",
    "built",
    "classes_of",
    "classes_of_samples",
    "contingency",
    "floors",
    "frechet",
    "kl",
    "polynomial_mmd",
    "variance_ratio_floor",
    "vendi",
]
