"""Scaling laws: the published optima, a numerical minimum, serving counted in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmbook.errors import InputError
from lmbook.industry import costs, facts

LAWS = ["hoffmann", "besiroglu"]


def test_constants_are_the_tables():
    assert costs.law("hoffmann").alpha == 0.33917
    assert costs.law() == costs.law("besiroglu")
    assert facts.load("scaling")["besiroglu E"].value == costs.law().E


def test_exponents_are_the_published_ones():
    table = facts.load("scaling")
    for name, published in (("hoffmann", "hoffmann 3 a"), ("besiroglu", "besiroglu a")):
        law = costs.law(name)
        found = law.optimum(1e24).params / law.optimum(1e22).params
        assert np.log10(found) / 2 == pytest.approx(table[published].value, abs=0.005)


def test_the_refit_agrees_with_approach_1_and_the_first_fit_does_not():
    rows = [r for r in facts.load("scaling") if r.symbol == "D_opt" and r.flops]
    assert len(rows) == 7
    for row in rows:
        optimum = costs.law("besiroglu").optimum(row.flops)
        assert optimum.tokens == pytest.approx(row.value, rel=0.35)
    chinchilla = costs.law("hoffmann").optimum(5.76e23)
    assert chinchilla.tokens / chinchilla.params > 50
    assert 15 < costs.law().optimum(5.76e23).tokens / 7e10 < 25


@pytest.mark.parametrize("name", LAWS)
@given(flops=st.floats(1e18, 1e27))
def test_no_other_split_of_the_budget_is_better(name, flops):
    law = costs.law(name)
    best = law.optimum(flops)
    assert 6 * best.params * best.tokens == pytest.approx(flops, rel=1e-9)
    for factor in (0.5, 0.9, 1.1, 2.0):
        params = best.params * factor
        assert law.loss(params, flops / (6 * params)) > best.loss


@pytest.mark.parametrize("name", LAWS)
def test_serving_asks_for_a_smaller_model_trained_for_longer(name):
    law = costs.law(name)
    best = law.optimum(1e23)
    alone = law.cheapest(best.loss)
    assert alone.params == pytest.approx(best.params, rel=1e-3)
    assert alone.flops == pytest.approx(1e23, rel=1e-6)
    served = law.cheapest(best.loss, served_tokens=1e13)
    assert served.params < 0.9 * alone.params
    assert served.tokens > 1.1 * alone.tokens
    assert law.loss(served.params, served.tokens) == pytest.approx(best.loss)
    grid = served.params * np.geomspace(0.8, 1.25, 41)
    totals = [6 * n * law.tokens_for(n, best.loss) + 2 * n * 1e13 for n in grid]
    assert served.flops <= min(totals) * (1 + 1e-9)


def test_what_cannot_be_reached():
    law = costs.law()
    with pytest.raises(InputError, match="no model is below 1.8169 nats a token"):
        law.cheapest(1.8)
    with pytest.raises(InputError, match="however many tokens there are"):
        law.tokens_for(1e6, 2.0)
    with pytest.raises(InputError, match="name must be one of hoffmann, besiroglu"):
        costs.law("kaplan")
