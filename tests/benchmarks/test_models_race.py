from itertools import islice

import pytest
import torch

from models import texts
from models.kind import Kind
from models.language import MERITY, ZAREMBA, DroppedWeights, LanguageModel
from models.race import drift, nudged, race
from models.skipped import skipped
from models.tagger import HUANG, NO_TAG
from models.translator import BAHDANAU

KINDS = [ZAREMBA, MERITY, HUANG, BAHDANAU]


class Sums(torch.nn.Module):
    """A small model with a recurrent layer and dropout."""

    def __init__(self):
        super().__init__()
        self.gru = torch.nn.GRU(3, 4, 2, dropout=0.5)
        self.out = torch.nn.Linear(4, 1)

    def forward(self, x):
        return (self.out(self.gru(x)[0]).squeeze(-1) - x.sum(-1)).square().mean()


def batches():
    torch.manual_seed(0)
    return iter([(torch.randn(5, 2, 3),) for _ in range(9)]), "drawn"


SUMS = Kind("sums", "no paper", "small", Sums, batches, learning_rate=0.1, clip=1.0)


def test_both_copies_take_the_same_steps():
    found = race(SUMS, 8, accelerate=lambda model: model)
    assert found["losses"]["ours"] == found["losses"]["torch"]
    assert found["losses"]["torch"][-1] != found["losses"]["torch"][0]
    assert [len(taken) for taken in found["seconds"].values()] == [6] * 4
    assert drift(found, "ours") == 0.0
    assert drift(found, "nudged") < 1e-5


def test_a_wrong_copy_drifts_away():
    def spoilt(model):
        with torch.no_grad():
            model.gru.bias_hh_l0.add_(0.1)
        return model

    assert drift(race(SUMS, 4, accelerate=spoilt), "ours") > 1e-3


def test_a_nudge_is_the_least_that_can_be():
    linear = torch.nn.Linear(50, 50)
    before = linear.weight.detach().clone()
    moved = (nudged(linear).weight.detach() - before).abs() / before.abs()
    assert moved.min() > 0
    assert moved.max() <= 2.0**-23


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_batches_fit_the_model(kind, monkeypatch):
    monkeypatch.setattr(texts, "PTB", texts.ROOT / "not there")
    monkeypatch.setattr(texts, "MULTI30K", texts.ROOT / "not there")
    found, text = kind.batches()
    assert text.startswith("drawn words")
    first, second = islice(found, 2)
    assert not torch.equal(first[0], second[0])
    if kind is HUANG:
        words, lengths, tags = first
        assert torch.equal((tags != NO_TAG).sum(0), lengths)
        assert int(words.max()) < texts.DRAWN_WORDS


def test_the_language_models_state_goes_on():
    torch.manual_seed(0)
    model = LanguageModel(8, 2, 0.0)
    words = torch.randint(0, 100, (4, 3))
    losses = [float(model(words, words).detach()) for _ in range(2)]
    assert losses[0] != losses[1]


def test_dropped_weights_are_dropped_anew():
    torch.manual_seed(0)
    layer = DroppedWeights(torch.nn.LSTM(3, 4), 0.5)
    x = torch.randn(5, 2, 3)
    assert not torch.equal(layer(x, None)[0], layer(x, None)[0])
    layer(x, None)[0].sum().backward()
    dropped = layer.lstm.weight_hh_l0 == 0
    assert 0.2 < dropped.float().mean() < 0.8
    assert torch.equal(layer.whole.grad == 0, dropped)


def test_words_are_numbered_by_how_common_they_are():
    assert texts.numbered(["b a b", "c b a <unk>"], most=5) == [[3, 4, 3, 2], [1, 3, 4, 1, 2]]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_model_without_its_layers_still_trains_the_rest(kind, monkeypatch):
    monkeypatch.setattr(texts, "DRAWN_SENTENCES", 200)
    monkeypatch.setattr(texts, "PTB", texts.ROOT / "not there")
    monkeypatch.setattr(texts, "MULTI30K", texts.ROOT / "not there")
    model = skipped(kind.build())
    for batch in islice(kind.batches()[0], 1):
        model(*batch).backward()
    learning = {name for name, weight in model.named_parameters() if weight.grad is not None}
    assert any("embedding" in name or "words" in name for name in learning)
    assert not any("lstm" in name or "encoder" in name or "decoder" in name for name in learning)
