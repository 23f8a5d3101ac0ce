"""Numbers of personas: by size, and the same from build to build while members mostly stay."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
from wardhouse.ml.stability import counts

MOST = 0.5  # of a persona's members: where more of them stay, its number stays


def number_personas(
    centroids: np.ndarray,
    fitted: np.ndarray,
    everybody: tuple[np.ndarray, np.ndarray],
    last: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Give each cluster the number that its persona is known by.

    Parameters
    ----------
    centroids : numpy.ndarray, shape (k, d)
    fitted : numpy.ndarray of int, shape (m,)
        Cluster, from 0, of those who were fitted.
    everybody : tuple of numpy.ndarray of int, shape (n,)
        Keys of the people, and their clusters.
    last : tuple of numpy.ndarray of int, shape (l,)
        Keys of the people of the last build, and the numbers of their personas. None may be there.

    Returns
    -------
    tuple of numpy.ndarray, shape (k,)
        Number of each cluster, from 1; and whether it is that of the last build. Clusters are
        matched with the last personas by the people in both, and a number stays where more than
        half of its last members do. The others take the free numbers by size, the largest first,
        equal ones by their centroids.
    """
    k = len(centroids)
    sizes = np.bincount(fitted, minlength=k)
    order = np.lexsort((*centroids.T[::-1], -sizes))
    numbers, is_kept = np.zeros(k, dtype=int), np.zeros(k, dtype=bool)
    last_numbers, last_labels = np.unique(last[1], return_inverse=True)
    if len(last_numbers):
        table = overlap((last[0], last_labels), everybody, (len(last_numbers), k))
        totals = np.bincount(last_labels)
        for before, cluster in zip(*linear_sum_assignment(table, maximize=True), strict=True):
            if table[before, cluster] > MOST * totals[before]:
                numbers[cluster], is_kept[cluster] = last_numbers[before], True
    free = sorted(set(range(1, 2 * k + 1)) - set(numbers.tolist()))
    new = [cluster for cluster in order if not is_kept[cluster]]
    numbers[new] = free[: len(new)]
    return numbers, is_kept


def overlap(
    first: tuple[np.ndarray, np.ndarray],
    second: tuple[np.ndarray, np.ndarray],
    shape: tuple[int, int],
) -> np.ndarray:
    """Count the people in both of two clusterings, each keys and labels from 0, by both labels."""
    _, one, other = np.intersect1d(first[0], second[0], assume_unique=True, return_indices=True)
    return counts(first[1][one], second[1][other], *shape)
