"""``jaxinpaint weights``: the published networks that losses look through, put into the cache."""

from pathlib import Path
from typing import Annotated

import tyro

from jaxinpaint.names import WeightsName


def weights(
    name: Annotated[WeightsName, tyro.conf.Positional],
    /,
    *,
    file: Annotated[Path | None, tyro.conf.arg(name="from", metavar="FILE")] = None,
    download: tyro.conf.FlagCreatePairsOff[bool] = False,
    url: Annotated[str | None, tyro.conf.arg(metavar="URL")] = None,
) -> None:
    """Put published weights into the cache, or say what is there.

    The perceptual and style losses look through VGG-16 or VGG-19. LPIPS looks through VGG-16 and
    lpips-vgg, or alexnet and lpips-alex; FID, P-IDS and U-IDS look through an Inception v3: that of
    pytorch-fid, or torchvision's. Weights are kept as safetensors in JAXINPAINT_CACHE, or the
    user's cache directory.

    Args:
        name: Whose weights.
        file: Take them from a file: the published .pth (nothing in it is run), safetensors, or for
            VGGs Keras's .h5. Keras's are other numbers, with larger features: the losses' published
            weights, and LPIPS's, go with torchvision's.
        download: Fetch the published file from its home address (VGGs about 550 MB), go on with an
            interrupted download, and check its hash.
        url: With --download: another address of the same file.
    """
    from jaxinpaint.interop import published_weights

    if file is not None and (download or url is not None):
        raise ValueError("take the weights --from a file or --download them, not both")
    if url is not None and not download:
        raise ValueError("--url is another address to --download from")
    if file is not None:
        found = published_weights.take_from(file, name)
    elif download:
        found = published_weights.fetch(name, url=url)
    else:
        found = published_weights.load(name)
    print(f"{name} from {found.source}, numbers {found.digest[:12]}")
    print(published_weights.cached_file(name))
