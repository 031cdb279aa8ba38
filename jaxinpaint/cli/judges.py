"""The networks that judge, as far as their weights are in the cache."""

from collections.abc import Sequence
from importlib.util import find_spec

from jaxinpaint.evaluation.evaluating import Judges
from jaxinpaint.evaluation.protocols import PROTOCOLS, Distance
from jaxinpaint.interop.judges import inception_features, perceptual_distance
from jaxinpaint.interop.published_weights import NoWeights


def judges(protocols: Sequence[str]) -> Judges:
    """The networks that these protocols judge by; of those that are missing, why.

    Raises:
        UnreadableWeights: if weights in the cache are damaged.
    """
    distances, features, left_out, digests = {}, {}, {}, {}
    applied = [PROTOCOLS[name] for name in protocols]
    networks: set[Distance] = {network for one in applied for network in one.lpips}
    for network in sorted(networks):
        metric = f"lpips_{network}"
        try:
            distances[network], digests[metric] = perceptual_distance(network)
        except NoWeights as error:
            left_out[metric] = str(error)
    for metric, fid in {fid.metric: fid for one in applied for fid in one.fid}.items():
        try:
            features[fid.convention], digests[metric] = inception_features(fid.convention)
        except NoWeights as error:
            left_out[metric] = str(error)
    if find_spec("sklearn") is None:
        why = "scikit-learn is missing: `pip install 'jaxinpaint[ids]'`"
        left_out |= {"p_ids": why, "u_ids": why}
    elif "fid" in left_out:
        left_out |= {"p_ids": left_out["fid"], "u_ids": left_out["fid"]}
    return Judges(distances, features, left_out, digests)
