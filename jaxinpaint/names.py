"""Names that users type, apart from what they name: so that help is there without waiting for JAX.

What they name lies in `masks`, `evaluation.protocols`, `interop.export_folders` and
`interop.published_weights`.
"""

from typing import Literal, TypeAlias

SamplerName: TypeAlias = Literal[
    "irregular",
    "center",
    "box",
    "boxes",
    "strokes",
    "lama-thin",
    "lama-medium",
    "lama-thick",
    "mat",
    "random-region",
    "crfill",
]
ProtocolName: TypeAlias = Literal[
    "house",
    "context-encoder",
    "partial-conv",
    "lama",
    "mat",
    "aot",
    "mmagic",
    "deepfill",
    "crfill",
]
ExportFormat: TypeAlias = Literal["safetensors", "torch", "stablehlo", "onnx", "savedmodel"]
WeightsName: TypeAlias = Literal[
    "vgg16",
    "vgg19",
    "alexnet",
    "lpips-alex",
    "lpips-vgg",
    "inception-fid",
    "inception-torchvision",
]
