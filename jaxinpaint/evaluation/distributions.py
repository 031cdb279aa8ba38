"""How far apart two sets of pictures are, by features of theirs; in float64 on the host."""

from typing import Literal, NamedTuple, cast

import numpy as np
from jaxtyping import Float

Features = Float[np.ndarray, "_ D"]


class InceptionDiscriminativeScores(NamedTuple):
    """How well a linear classifier tells made pictures from real ones.

    Attributes:
        p_ids: the share of made pictures that it takes for realer than the real one of their pair.
        u_ids: the share of all pictures that it takes for what they are not; 0.5 is best.
    """

    p_ids: float
    u_ids: float


def fid(a: Features, b: Features, *, ddof: Literal[0, 1]) -> float:
    """Fréchet inception distance: the squared one of two normal distributions.

    Heusel et al., GANs Trained by a Two Time-Scale Update Rule, NeurIPS 2017, eq. 6::

        |μa - μb|² + tr Σa + tr Σb - 2 tr (Σa Σb)^½

    With Σ = XᵀX the last trace is the sum of the singular values of Xa Xbᵀ. No root of a matrix is
    taken, so that covariances without full rank, as of fewer pictures than features, are as good as
    others, and nothing is added to their diagonals, as pytorch-fid does where its root fails. (The
    distance itself is then far too large, as for any small set: compare it among sets of one size
    only.)

    Args:
        a, b: features, a row a picture; at least two pictures each.
        ddof: covariances are sums over N - ddof. 1: pytorch-fid and LaMa. 0: StyleGAN2-ADA and MAT.

    Returns:
        at least 0, which is also given where rounding made less of it.

    Raises:
        ValueError: for fewer than two pictures, features of two lengths or that are not finite, or
            another ddof.
    """
    if ddof not in (0, 1):
        raise ValueError(f"covariances are over N - 0 or N - 1, not N - {ddof}")
    a, b = _checked(a, "a"), _checked(b, "b")
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"pictures have {a.shape[1]} features in one set, {b.shape[1]} in another")
    (mean_a, root_a), (mean_b, root_b) = (_mean_and_root(x, ddof) for x in (a, b))
    between = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    within = np.sum(root_a**2) + np.sum(root_b**2)
    return max(0.0, float(np.sum((mean_a - mean_b) ** 2) + within - 2 * between))


def ids(fakes: Features, reals: Features) -> InceptionDiscriminativeScores:
    """Paired and unpaired inception discriminative scores.

    Zhao et al., Large Scale Image Completion via Co-Modulated Generative Adversarial Networks, ICLR
    2021, sec. 4: a linear support vector machine f is fitted to tell the two sets apart, and::

        P-IDS = share of pairs with f(fake) > f(real)
        U-IDS = share of pictures on the wrong side

    Its hyperparameters are scikit-learn's defaults with ``dual=False``, as in MAT's program.

    Args:
        fakes, reals: features, a row a picture; row by row of the same hole.

    Raises:
        ValueError: if shapes differ, there are fewer than two pairs, or features are not finite.
        ModuleNotFoundError: without scikit-learn.
    """
    try:
        from sklearn.svm import LinearSVC  # pyright: ignore[reportMissingImports] (an extra)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "P-IDS and U-IDS need scikit-learn: pip install 'jaxinpaint[ids]'"
        ) from error
    fakes, reals = _checked(fakes, "fakes"), _checked(reals, "reals")
    if fakes.shape != reals.shape:
        raise ValueError(f"a fake goes with each real, but they are {fakes.shape}, {reals.shape}")
    features = np.concatenate([reals, fakes])
    is_real = np.repeat([True, False], len(reals))
    machine = LinearSVC(dual=False)  # pyright: ignore[reportArgumentType] (its default is "auto")
    machine.fit(features, is_real)
    of_reals, of_fakes = np.split(machine.decision_function(features), 2)
    return InceptionDiscriminativeScores(
        p_ids=float(np.mean(of_fakes > of_reals)),
        # As the machine classifies: what is not above 0 is a fake.
        u_ids=float(np.mean([of_reals <= 0, of_fakes > 0])),
    )


def _checked(features: np.ndarray, name: str) -> Float[np.ndarray, "_ D"]:
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(
            f"{name}: a distribution needs the features of two pictures at least, a row a picture, "
            f"not an array of {features.shape}"
        )
    if not np.isfinite(features).all():
        raise ValueError(f"{name}: there are features that are not finite")
    return features


def _mean_and_root(
    x: Float[np.ndarray, "_ D"], ddof: int
) -> tuple[Float[np.ndarray, " D"], Float[np.ndarray, "_ D"]]:
    """The mean, and an R with RᵀR the covariance that has no more rows than columns."""
    mean = x.mean(axis=0)
    root = np.linalg.qr((x - mean) / np.sqrt(len(x) - ddof), mode="r")
    return mean, cast(np.ndarray, root)  # NumPy's types know its other modes only
