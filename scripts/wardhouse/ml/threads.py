"""One thread for linear algebra, so that sums come out the same to the last bit."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_FITTING = Lock()


@contextmanager
def single_threaded() -> Iterator[None]:
    """Hold numerical libraries to one thread, one fit at a time.

    The limit is the process's: were two of dbt's threads to fit at once, the first to finish
    would give the other its threads back in the middle. Only libraries that are loaded can be held:
    those that fits use are loaded first.
    """
    import sklearn.cluster  # noqa: F401
    from threadpoolctl import threadpool_limits

    with _FITTING, threadpool_limits(1):
        yield
