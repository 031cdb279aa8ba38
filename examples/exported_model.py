"""A trained network in a program of one's own, without this package.

    jaxinpaint export runs/first-run-1 --format stablehlo
    python examples/exported_model.py runs/first-run-1/exported/stablehlo/program.stablehlo
    jaxinpaint export runs/first-run-1 --format onnx                      needs the extra `onnx`
    python examples/exported_model.py runs/first-run-1/exported/onnx/program.onnx

A photograph gets a hole in its middle, or the --hole of a mask file (white is missing), and comes
out filled as filled.png. StableHLO takes JAX and NumPy, ONNX takes onnxruntime and NumPy; Pillow
reads and writes. The first call for a size compiles: seconds.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

PHOTO = Path(__file__).parent.parent / "jaxinpaint/data/photographs/held_out/chelsea.png"


def opened(program: Path) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The program of a file: ``(image, hole) -> composite``, float32 in [0, 1], NHWC."""
    if program.suffix == ".onnx":
        import onnxruntime  # pyright: ignore[reportMissingImports]

        session = onnxruntime.InferenceSession(program, providers=["CPUExecutionProvider"])
        return lambda image, hole: session.run(["composite"], {"image": image, "hole": hole})[0]

    from jax import export

    call = export.deserialize(bytearray(program.read_bytes())).call
    return lambda image, hole: np.asarray(call(image, hole)[0])


def fill(
    paint: Callable[[np.ndarray, np.ndarray], np.ndarray],
    photo: np.ndarray,
    hole: np.ndarray,
    *,
    multiple: int = 64,
) -> np.ndarray:
    """The photograph with its hole filled.

    Args:
        paint: an opened program.
        photo: ``[H, W, 3]``, uint8.
        hole: ``[H, W]``, bool.
        multiple: what the sides of the network's pictures are multiples of. Others are enlarged at
            the right and the bottom, by a hole, and what came of that is cut off.
    """
    height, width = hole.shape
    wider = ((0, -height % multiple), (0, -width % multiple))
    image = np.pad(photo, (*wider, (0, 0)))[None].astype(np.float32) / 255
    missing = np.pad(hole, wider, constant_values=True)[None, :, :, None].astype(np.float32)
    composite = paint(image, missing)[0, :height, :width]
    filled = np.round(composite * 255).astype(np.uint8)
    return np.where(hole[..., None], filled, photo)  # known pixels as they were


def main() -> None:
    """Fills a hole in a photograph."""
    parser = argparse.ArgumentParser(description="Fill a hole with an exported network.")
    parser.add_argument("program", type=Path, help="program.stablehlo or program.onnx")
    parser.add_argument("--photo", type=Path, default=PHOTO)
    parser.add_argument("--hole", type=Path, help="a mask of the photo's size, white is missing")
    parser.add_argument("--multiple", type=int, default=64)
    parser.add_argument("-o", "--output", type=Path, default=Path("filled.png"))
    chosen = parser.parse_args()

    photo = np.asarray(Image.open(chosen.photo).convert("RGB"))
    height, width, _ = photo.shape
    if chosen.hole is not None:
        hole = np.asarray(Image.open(chosen.hole).convert("L")) >= 128
    else:
        hole = np.zeros((height, width), bool)
        hole[height * 2 // 5 : height * 3 // 5, width * 2 // 5 : width * 3 // 5] = True
    filled = fill(opened(chosen.program), photo, hole, multiple=chosen.multiple)
    Image.fromarray(filled).save(chosen.output)
    print(chosen.output)


if __name__ == "__main__":
    main()
