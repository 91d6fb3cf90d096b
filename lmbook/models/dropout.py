r"""Dropout for recurrent networks: what is dropped, and for how long.

Every function scales what it keeps by :math:`1/(1-p)`, so that the mean stays and
nothing has to be done when the model is used.  Taught in section 5.2.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, embedding


def locked_dropout(x: Tensor, p: float) -> Tensor:
    """Drop the same features of a row at every time step.

    ``x`` is (batch, seq_len, features); one mask (batch, 1, features) is drawn.
    Also called variational dropout: Gal & Ghahramani, "A Theoretically Grounded
    Application of Dropout in Recurrent Neural Networks" (2016).
    """
    batch, _, features = x.shape
    return x * dropout(x.new_ones(batch, 1, features), p)


def embedding_dropout(weight: Tensor, ids: Tensor, p: float) -> Tensor:
    """Vectors of ``ids`` (batch, seq_len), whole words of the vocabulary dropped.

    ``weight`` is (vocab_size, size), the result (batch, seq_len, size).  A dropped
    word is a zero vector wherever it stands in the batch (Gal & Ghahramani, 2016).
    """
    keep = dropout(weight.new_ones(len(weight), 1), p)  # one number a word
    return embedding(ids, weight) * keep[ids]


class WeightDropLSTM(nn.LSTM):
    r"""An LSTM layer, entries of whose recurrent matrix are dropped in training.

    The same entries of :math:`W_{hh}` are gone in all rows and at all time steps of
    a call: DropConnect, as in Merity, Keskar & Socher, "Regularizing and Optimizing
    LSTM Language Models" (2018).  One layer, one direction; takes (batch, seq_len,
    input_size).
    """

    weight_ih_l0: Tensor
    weight_hh_l0: Tensor
    bias_ih_l0: Tensor
    bias_hh_l0: Tensor

    def __init__(self, input_size: int, hidden_size: int, weight_drop: float) -> None:
        super().__init__(input_size, hidden_size, batch_first=True)
        self.weight_drop = weight_drop

    def forward(  # type: ignore[override]  # the state is not optional
        self, x: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        if not self.training or self.weight_drop == 0:
            return super().forward(x, state)
        weights = [
            self.weight_ih_l0,
            dropout(self.weight_hh_l0, self.weight_drop),
            self.bias_ih_l0,
            self.bias_hh_l0,
        ]
        # In one piece of memory, as cuDNN wants them; it warns where they are not.
        flat = torch.cat([weight.flatten() for weight in weights])
        pieces = flat.split([weight.numel() for weight in weights])
        output, h, c = torch.lstm(
            x,
            state,
            [piece.view_as(w) for piece, w in zip(pieces, weights, strict=True)],
            has_biases=True,
            num_layers=1,
            dropout=0.0,
            train=True,
            bidirectional=False,
            batch_first=True,
        )
        return output, (h, c)
