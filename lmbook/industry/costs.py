"""Every calculator under one name: ``costs.training_flops(params, tokens)`` and kin.

Each takes and gives plain numbers in base units (FLOPs, bytes, seconds, hours of one
device, kWh, kg, US$) and has its equation's source in its docstring.  Sections 2.3, 8.
"""

from lmbook.industry.counts import (
    TransformerShape,
    lstm_flops,
    lstm_parameters,
    shape_of,
    transformer_flops,
    transformer_parameters,
)
from lmbook.industry.devices import Device, device
from lmbook.industry.energy import carbon_kg, electricity_price, energy_kwh, grid
from lmbook.industry.kv_cache import cache_of, kv_cache_bytes, latent_cache_bytes
from lmbook.industry.languages import page_tokens, tokens_per_character
from lmbook.industry.memory import (
    activation_bytes,
    training_state_bytes,
    weight_bytes,
)
from lmbook.industry.roofline import (
    Load,
    Machine,
    decode_seconds,
    prefill_seconds,
    ridge,
    roofline_seconds,
)
from lmbook.industry.scaling import Optimum, ScalingLaw, law
from lmbook.industry.serving import (
    Service,
    largest_batch,
    margin,
    markup,
    serve,
    usd_per_million_tokens,
)
from lmbook.industry.training_costs import (
    days,
    device_hours,
    in_yuan,
    price,
    training_flops,
    training_flops_of,
    utilisation,
)

__all__ = [
    "Device",
    "Load",
    "Machine",
    "Optimum",
    "ScalingLaw",
    "Service",
    "TransformerShape",
    "activation_bytes",
    "cache_of",
    "carbon_kg",
    "days",
    "decode_seconds",
    "device",
    "device_hours",
    "electricity_price",
    "energy_kwh",
    "grid",
    "in_yuan",
    "kv_cache_bytes",
    "largest_batch",
    "latent_cache_bytes",
    "law",
    "lstm_flops",
    "lstm_parameters",
    "margin",
    "markup",
    "page_tokens",
    "prefill_seconds",
    "price",
    "ridge",
    "roofline_seconds",
    "serve",
    "shape_of",
    "tokens_per_character",
    "training_flops",
    "training_flops_of",
    "training_state_bytes",
    "transformer_flops",
    "transformer_parameters",
    "usd_per_million_tokens",
    "utilisation",
    "weight_bytes",
]
