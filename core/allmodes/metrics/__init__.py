"""Numbers about samples of a trained model, their floors, and the feature spaces that they are taken in."""

from allmodes.metrics.base import Evaluation, Metric, build_metrics
from allmodes.metrics.bins import Ndb
from allmodes.metrics.class_coverage import ClassCoverage
from allmodes.metrics.classes import Share, classes_of, classes_of_samples
from allmodes.metrics.clipped import ClippedDensityCoverage
from allmodes.metrics.clustering import Clustering, agreement, contingency
from allmodes.metrics.conditional import Conditional
from allmodes.metrics.diversity import DiversityGap, Rke, Vendi, rke, vendi
from allmodes.metrics.feature_cache import FeatureCache
from allmodes.metrics.feature_metric import FeatureMetric
from allmodes.metrics.floors import measure_each_floor, measure_floors, measure_reference
from allmodes.metrics.inversion import Ivom
from allmodes.metrics.memorisation import Memorisation
from allmodes.metrics.modes import Modes, kl, variance_ratio_floor
from allmodes.metrics.moments import Fid, Kid, frechet, polynomial_mmd
from allmodes.metrics.neighbours import DensityCoverage, PrecisionRecall
from allmodes.metrics.reference import ReferenceSampler, build_references
from allmodes.metrics.stacked_mnist import StackedModes
from allmodes.metrics.transport import SlicedWasserstein, Wasserstein

__all__ = [
    "ClassCoverage",
    "ClippedDensityCoverage",
    "Clustering",
    "Conditional",
    "DensityCoverage",
    "DiversityGap",
    "Evaluation",
    "FeatureCache",
    "FeatureMetric",
    "Fid",
    "Ivom",
    "Kid",
    "Memorisation",
    "Metric",
    "Modes",
    "Ndb",
    "PrecisionRecall",
    "ReferenceSampler",
    "Rke",
    "Share",
    "SlicedWasserstein",
    "StackedModes",
    "Vendi",
    "Wasserstein",
    "agreement",
    "build_metrics",
    "build_references",
    "classes_of",
    "classes_of_samples",
    "contingency",
    "frechet",
    "kl",
    "measure_each_floor",
    "measure_floors",
    "measure_reference",
    "polynomial_mmd",
    "rke",
    "variance_ratio_floor",
    "vendi",
]
