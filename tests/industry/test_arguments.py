"""What the calculators refuse, whatever it is: with the name, and what is accepted."""

import numpy as np
import pytest

from lmbook.errors import InputError
from lmbook.industry import costs, facts
from lmbook.industry.arguments import (
    at_least,
    finite,
    flag,
    one_of,
    plain,
    positive,
    share,
    whole,
)
from lmbook.industry.counts import lstm_parameters
from lmbook.industry.devices import device
from lmbook.industry.energy import grid
from lmbook.industry.growth import bootstrap, fit_growth
from lmbook.industry.scaling import law

NOT_NUMBERS = [
    *(None, True, "7", [7], 7j, float("nan"), float("inf"), -float("inf"), 10**400),
    *(np.int64(7), np.int32(7), np.float32(7), np.bool_(True), np.array(7.0)),
]
CHECKS = [positive, finite, whole, share, lambda **kw: at_least(0, **kw)]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("value", NOT_NUMBERS, ids=lambda value: type(value).__name__)
def test_what_is_no_number_of_pythons(check, value):
    with pytest.raises(InputError, match="^size must be .*, got ") as caught:
        check(size=value)
    assert len(str(caught.value)) < 200
    assert ("NumPy" in str(caught.value)) == isinstance(value, np.generic | np.ndarray)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("value", [1, 1.0, np.float64(1)])
def test_what_is_one(check, value):
    check(size=value)


def test_the_bounds():
    positive(size=1e-100, other=1e100)
    for value in (1e-101, 1e101):
        with pytest.raises(InputError, match="size must be from 1e-100 to 1e[+]?100"):
            positive(size=value)
    with pytest.raises(InputError, match="size must be above 0 and at most 1"):
        share(size=1e-300)


def test_one_of_is_strict_about_types():
    one_of((0, 1), stage=1)
    one_of(("none", "full"), kind="full")
    for value in (True, 1.0, "1", np.array([1, 0]), [1], None):
        with pytest.raises(InputError, match="stage must be one of 0, 1; got"):
            one_of((0, 1), stage=value)


def test_a_flag_is_true_or_false():
    flag(tied=False)
    for value in ("no", 0, None):
        with pytest.raises(InputError, match="tied must be True or False, got"):
            flag(tied=value)


def test_a_column_may_be_an_array():
    assert plain(np.array([1, 2])) == plain((1, 2)) == [1, 2]
    years, values = np.arange(2000, 2004), np.array([1, 2, 4, 8])
    assert fit_growth(years, values).factor == pytest.approx(2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: costs.training_flops(np.int64(7), 1.0), "params must be"),
        (lambda: costs.training_flops(10**400, 1), "params must be"),
        (lambda: costs.training_state_bytes(1e9, True, 4), "zero_stage must be one of"),
        (lambda: costs.training_state_bytes(1e9, 1.0, 4), "zero_stage must be one of"),
        (lambda: lstm_parameters(10, 4, 5, 1, "no"), "tied must be True or False"),
        (lambda: device(["H100"]), "no row of hardware named"),
        (lambda: grid(["China"]), "no row of grids named"),
        (lambda: costs.shape_of(["GPT-2"]), "no row of architectures named"),
        (lambda: facts.load(["models"]), "no table named"),
        (lambda: facts.fact(3), "a fact is table/row/column, got 3"),
        (lambda: fit_growth([1, 2, float("nan")], [1, 2, 3]), "year must be a finite"),
        (lambda: bootstrap([1, 2, "3"], [1, 2, 3]), "year must be a finite number"),
        (lambda: law().cheapest(1e50), "loss must be below"),
    ],
)
def test_calculators_say_it_by_name(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_a_number_of_layers_may_be_a_whole_float():
    assert lstm_parameters(10, 4, 5, 2.0) == lstm_parameters(10, 4, 5, 2)
