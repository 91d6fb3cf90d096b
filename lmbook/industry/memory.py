"""Bytes that training keeps: weights, gradients, optimiser, activations."""

from lmbook.industry.arguments import at_least, one_of, positive, whole
from lmbook.industry.counts import TransformerShape

STAGES = (0, 1, 2, 3)
RECOMPUTATION = ("none", "selective", "full")


def weight_bytes(params: float, bits: float) -> float:
    r"""Weights of ``bits`` each, :math:`N \cdot b / 8` bytes; 4.5 with scales, say."""
    positive(params=params, bits=bits)
    return params * bits / 8


def training_state_bytes(
    params: float,
    zero_stage: int = 0,
    num_devices: int = 1,
    weights: float = 2,
    gradients: float = 2,
    optimizer: float = 12,
) -> float:
    r"""Bytes on each device for weights, gradients and optimiser.

    :math:`N (2 + 2 + 12)` in mixed precision with Adam: 16-bit weights and gradients;
    a 32-bit copy of the weights and two moments.  ZeRO shares out the optimiser over
    the devices (stage 1), the gradients too (2), the weights too (3): Rajbhandari et
    al. 2020, arXiv:1910.02054, section 3.1 and Figure 1.
    """
    positive(params=params)
    whole(num_devices=num_devices)
    one_of(STAGES, zero_stage=zero_stage)
    at_least(0, weights=weights, gradients=gradients, optimizer=optimizer)
    kept = (optimizer, gradients, weights)
    shared, whole_ones = sum(kept[:zero_stage]), sum(kept[zero_stage:])
    return params * (whole_ones + shared / num_devices)


def activation_bytes(
    shape: TransformerShape,
    batch_size: int,
    seq_len: int,
    recomputation: str = "none",
    tensor_parallel: int = 1,
) -> float:
    r"""Bytes of activations that wait for the backward pass, all layers, 16 bits.

    .. math:: \frac{L\, s b h}{t} \left(34 + 5\frac{a s}{h}\right)

    for s = ``seq_len``, b = ``batch_size``, hidden size h, a heads, t devices of tensor
    and sequence parallelism.  "selective" recomputes attention: the second term goes
    (FlashAttention does as much).  "full" keeps the input of each layer, :math:`2sbh`,
    on every device.  Korthikanti et al. 2022, arXiv:2205.05198, Eqs. 1, 4, Table 2;
    the output layer's logits aren't counted.
    """
    whole(batch_size=batch_size, seq_len=seq_len, tensor_parallel=tensor_parallel)
    one_of(RECOMPUTATION, recomputation=recomputation)
    inputs = shape.num_layers * seq_len * batch_size * shape.hidden_size
    if recomputation == "full":
        return 2.0 * inputs
    attention = 5 * shape.num_heads * seq_len / shape.hidden_size
    per_input = 34 + (attention if recomputation == "none" else 0)
    return inputs * per_input / tensor_parallel
