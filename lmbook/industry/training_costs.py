"""What training costs: operations, hours of a device, days, money.  Section 2.3."""

from lmbook.industry.arguments import one_of, positive, share, whole
from lmbook.industry.counts import TransformerShape, transformer_flops

SECONDS_PER_HOUR = 3600
RULES = {"6ND": 6, "8ND": 8, "3ND": 3}


def training_flops(params: float, tokens: float, rule: str = "6ND") -> float:
    r"""Operations of a training run, :math:`C = 6ND`.

    Two a parameter and token forward, four backward (Kaplan et al. 2020, section 2.1;
    Brown et al. 2020, Table D.1).  Of a mixture of experts N is what one token uses.
    "8ND": the forward pass is done twice, as activations are computed again
    (Narayanan et al. 2021, arXiv:2104.04473, section 5.1).  "3ND": an encoder with a
    decoder, where a token passes through half of N.
    """
    positive(params=params, tokens=tokens)
    one_of(RULES, rule=rule)
    return RULES[rule] * params * tokens


def training_flops_of(shape: TransformerShape, tokens: float, seq_len: int) -> float:
    r"""The same from the sizes, attention too: three times the forward pass.

    Each token looks at :math:`(T + 1)/2` positions of a text of T = ``seq_len`` tokens
    on the average (Chowdhery et al. 2022, appendix B, without the causal half).
    """
    positive(tokens=tokens)
    whole(seq_len=seq_len)
    return 3 * transformer_flops(shape, (seq_len + 1) / 2) * tokens


def device_hours(flops: float, peak: float, mfu: float) -> float:
    r"""Hours of one device, :math:`C / (\text{peak} \cdot \text{MFU} \cdot 3600)`.

    ``peak`` in FLOP/s; ``mfu``, model FLOPs utilisation, is the share of it that goes
    into :math:`6ND` (Chowdhery et al. 2022, section 4.1).
    """
    positive(flops=flops, peak=peak)
    share(mfu=mfu)
    return flops / (peak * mfu * SECONDS_PER_HOUR)


def utilisation(flops: float, hours: float, peak: float) -> float:
    """MFU from what was measured: the inverse of :func:`device_hours`."""
    positive(flops=flops, hours=hours, peak=peak)
    return flops / (peak * hours * SECONDS_PER_HOUR)


def days(hours: float, num_devices: int) -> float:
    """Days that so many device hours take on ``num_devices`` at once."""
    positive(hours=hours)
    whole(num_devices=num_devices)
    return hours / num_devices / 24


def price(hours: float, usd_per_hour: float) -> float:
    """US$ for device hours at a rental price.  No staff, no failed runs, no data."""
    positive(hours=hours, usd_per_hour=usd_per_hour)
    return hours * usd_per_hour


def in_yuan(usd: float, yuan_per_usd: float) -> float:
    """¥ for US$ at a rate of the day, which the caller looks up."""
    positive(usd=usd, yuan_per_usd=yuan_per_usd)
    return usd * yuan_per_usd
