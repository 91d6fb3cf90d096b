"""Does a model that is 80 % sure get 80 % right?  Taught in section 6.4."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmbook.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reliability:
    """What a reliability diagram shows: bins that hold answers, unsure first."""

    confidence: Floats  # mean of the bin
    accuracy: Floats
    counts: NDArray[np.int64]

    @property
    def error(self) -> float:
        r"""Expected calibration error,

        .. math:: \text{ECE} = \sum_b \frac{n_b}{n} |\text{acc}_b - \text{conf}_b|.
        """
        gaps = np.abs(self.accuracy - self.confidence)
        return float(gaps @ self.counts / self.counts.sum())


def reliability(
    confidence: ArrayLike, correct: ArrayLike, bins: int = 10
) -> Reliability:
    """Sort answers into bins of equal width by confidence (Guo et al. 2017).

    ``confidence`` (n,) from 0 to 1, ``correct`` (n,) of true and false.
    """
    sure = np.asarray(confidence, np.float64)
    right = np.asarray(correct, np.float64)
    if sure.ndim != 1 or sure.shape != right.shape or len(sure) == 0:
        raise InputError(
            "confidence and correct must be of one length, at least 1: got shapes "
            f"{sure.shape} and {right.shape}"
        )
    if not (sure.min() >= 0 and sure.max() <= 1):
        raise InputError("confidence must be from 0 to 1")
    if not np.isin(right, (0, 1)).all():
        raise InputError("correct must hold true and false only")
    if bins < 1:
        raise InputError(f"bins must be at least 1, got {bins}")
    place = np.minimum((sure * bins).astype(np.int64), bins - 1)
    counts = np.bincount(place, minlength=bins)
    held = counts > 0
    confident = np.bincount(place, sure, bins)[held] / counts[held]
    accurate = np.bincount(place, right, bins)[held] / counts[held]
    return Reliability(confident, accurate, counts[held])
