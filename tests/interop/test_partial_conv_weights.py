import numpy as np
import pytest

from jaxinpaint.interop.partial_conv import from_naoto0804, from_tanimutomo


def test_constant_masks_and_counters_are_left_out() -> None:
    variables = from_naoto0804(
        {
            "enc_2.conv.input_conv.weight": np.ones((8, 4, 5, 5), np.float32),
            "enc_2.conv.mask_conv.weight": np.ones((8, 4, 5, 5), np.float32),
            "enc_2.bn.num_batches_tracked": np.array(3),
        }
    )
    assert list(variables["params"]) == ["enc_2"]
    kernel = variables["params"]["enc_2"]["kernel"]
    assert kernel.shape == (5, 5, 4, 8)
    np.testing.assert_allclose(kernel, 1 / 100)


def test_kernels_turn_from_oihw_to_hwio() -> None:
    weight = np.arange(2 * 3 * 4 * 4, dtype=np.float32).reshape(2, 3, 4, 4)
    kernel = from_tanimutomo({"enc_1.conv.weight": weight})["params"]["enc_1"]["kernel"]
    assert kernel[1, 2, 0, 1] == weight[1, 0, 1, 2]


def test_an_unknown_key_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"enc_1\.surprise"):
        from_tanimutomo({"enc_1.surprise": np.zeros(3)})


def test_a_kernel_of_other_rank_is_refused() -> None:
    with pytest.raises(ValueError, match="four axes"):
        from_tanimutomo({"enc_1.conv.weight": np.zeros((3, 3))})
