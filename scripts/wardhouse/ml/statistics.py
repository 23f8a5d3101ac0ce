"""Statistics that several areas use."""

import numpy as np


def holm(p_values: np.ndarray) -> np.ndarray:
    """Adjust p-values for the number of tests by Holm's step-down method (Holm 1979).

    Parameters
    ----------
    p_values
        Shape (n,), each in 0..1.

    Returns
    -------
    ndarray
        Shape (n,), in the order of the input, each in 0..1.
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    stepped = np.maximum.accumulate(p_values[order] * factors)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted
