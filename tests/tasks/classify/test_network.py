"""The recurrent networks, and the model that weighs them: every output, whole and while they read."""

import numpy as np
import pytest
import torch
from reading import VOWELS, long, read, reviews

from recurra.tasks.classify.model import Classifier
from recurra.tasks.classify.network import Network

OUTPUTS = ("last", "mean", "max", "attention")
KINDS = {"text": lambda: read(reviews(40), test=0), "series": lambda: read(VOWELS)}
KINDS["events"] = lambda: read(long().drop("x"), label="label", channels="state", test=0)


@pytest.fixture(scope="module", params=KINDS)
def data(request):
    return KINDS[request.param]()


def sized(data, networks=2, hidden=8, output="max"):
    """The schema with sizes for a test."""
    sizes = {"networks": networks, "hidden": hidden, "output": output}
    return data.schema.model_copy(update={"shape": data.schema.shape.model_copy(update=sizes)})


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", ["GRU", "LSTM", "RNN"])
def test_a_row_alone_says_what_it_says_in_a_batch(data, output, bidirectional, cell):
    torch.manual_seed(0)
    model = Classifier(sized(data, output=output), cell, bidirectional).eval()
    model.share.fill_(0.6)
    which = np.argsort(data.examples.x.lengths)[[0, 3, -1]]
    with torch.no_grad():
        together = model(*data.examples.x.padded(which))
        for row, n in enumerate(which):
            alone = model(*data.examples.x.padded(np.array([n])))
            torch.testing.assert_close(alone[0], together[row])


@pytest.mark.parametrize("output", OUTPUTS)
def test_after_each_step_it_says_what_the_beginning_says(data, output):
    torch.manual_seed(0)
    model = Classifier(sized(data, output=output), "GRU", False).eval()
    model.share.fill_(0.6)
    n = int(np.argmax(data.examples.x.lengths))
    x, lengths = data.examples.x.padded(np.array([n]))
    with torch.no_grad():
        running = model.running(x, lengths)
        for step in (1, int(lengths[0]) // 2, int(lengths[0])):
            until = model(x[:, :step], torch.tensor([step]))
            torch.testing.assert_close(running[0, step - 1], until[0], atol=1e-4, rtol=1e-4)


def test_the_pools_are_what_they_are_called(data):
    torch.manual_seed(0)
    x, lengths = data.examples.x.padded(np.arange(3))
    for output, pool in {
        "mean": lambda y: y.mean(0),
        "max": lambda y: y.amax(0),
        "last": lambda y: y[-1],
    }.items():
        network = Network(sized(data, output=output), "GRU", False).eval()
        with torch.no_grad():
            y = network.states(network.embed(x), lengths)
            expected = torch.stack([network.answer(pool(y[n, : int(lengths[n])])) for n in range(3)])
            torch.testing.assert_close(network.classify(network.embed(x), lengths), expected)


def test_a_step_whose_embedding_is_zero_is_hidden_from_all_members(data):
    torch.manual_seed(0)
    model = Classifier(sized(data), "GRU", False).eval()
    model.share.fill_(0.0)
    with torch.no_grad():
        model.counted.weight.normal_()
        if hasattr(model.counted, "idf"):
            model.counted.idf.fill_(1.0)
        else:
            model.counted.learn(data.examples.x, 0)
        x, lengths = data.examples.x.padded(np.array([0]))
        embedded = model.embed(x)
        hidden = embedded.clone()
        hidden[:, 1] = 0.0
        other = x.clone()
        other[:, 1] = 0
        assert not torch.equal(model.classify(hidden, lengths, x), model.classify(embedded, lengths, x))
        torch.testing.assert_close(model.classify(hidden, lengths, x), model(other, lengths))


def test_probabilities_have_the_temperature(data):
    model = Classifier(sized(data, networks=1), "GRU", False)
    model.temperature.fill_(2.0)
    z = torch.tensor([[1.0, 2.0, -1.0]])
    torch.testing.assert_close(model.probabilities(z), (z / 2).softmax(1))
    model.several = True
    torch.testing.assert_close(model.probabilities(z), (z / 2).sigmoid())
