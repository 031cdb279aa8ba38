import golden
import numpy as np


def test_the_rule_gives_the_weights_it_is_documented_to_give() -> None:
    weights = golden.state_dict({"enc_1.conv.weight": [64, 3, 7, 7], "main.3.running_var": [16]})
    # Printed with eight digits.
    np.testing.assert_allclose(
        weights["enc_1.conv.weight"].ravel()[:3], [0.03135362, 0.11146678, 0.02656017], rtol=1e-6
    )
    np.testing.assert_allclose(
        weights["main.3.running_var"][:3], [1.0801282, 1.0894262, 1.0763843], rtol=1e-6
    )
