"""Whether this CPU computes in bfloat16: not all do, and PyTorch's LSTM asks for it."""

import pytest
import torch

CPU_HAS_BF16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()
needs_bf16 = pytest.mark.skipif(
    not CPU_HAS_BF16, reason="this CPU does not compute in bfloat16"
)
