"""The imagined small company whose bill runs through the book (2.3, 8).

It trains a model of Llama 2 7B's size on as many tokens as that one read, rents A100s
throughout, and answers questions for a year.  What it pays by the hour is what others
have written into their bills (table ``constants``); the rest are assumptions, and
:data:`RANGES` says how far off each of them may be.
"""

from lmbook.industry.bill import Plan, Range

YUAN_PER_USD = 7.0  # the story's rate of book-keeping and not a day's quotation

PLAN = Plan(
    params=7e9,
    train_tokens=2e12,
    trials=0.5,
    mfu=0.4,
    usd_per_hour=2.0,
    requests_per_day=50_000,
    prompt_tokens=900,
    output_tokens=300,
    months=12,
    busy=0.3,
    batch_size=32,
    cache_bytes=131_072,
    device_name="A100 SXM 80GB",
)

RANGES = {
    "train_tokens": Range(1e12, 4e12),
    "trials": Range(0.2, 2.0),
    "mfu": Range(0.25, 0.5),
    "usd_per_hour": Range(1.0, 3.0),
    "requests_per_day": Range(10_000, 200_000),
    "output_tokens": Range(150, 600),
    "busy": Range(0.1, 0.6),
}
