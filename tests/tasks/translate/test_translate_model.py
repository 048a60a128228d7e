"""The translator: steps one by one and all at once; what it learns; the same bits side by side."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch
from pairs_of_words import pairs
from torch.nn import functional as F

from recurra.data.ragged import Ragged
from recurra.data.tokens import BORDER
from recurra.decode.attending import Steps
from recurra.decode.beam import Beam
from recurra.fit import configure
from recurra.tasks.translate.config import TranslateConfig
from recurra.tasks.translate.data import TranslateData, encode_text, read_pairs
from recurra.tasks.translate.decoding import remembered, translated
from recurra.tasks.translate.model import Batch, Translator
from recurra.tasks.translate.task import Translate, batch_of

VARIANTS = [
    {},
    {"cell": "LSTM"},
    {"cell": "RNN", "attention": "bahdanau"},
    {"attention": "bahdanau"},
    {"input_feeding": True},
    {"cell": "LSTM", "input_feeding": True, "attention": "bahdanau"},
]


def made(seed: int = 0, many: int = 60, **options: object) -> tuple[Translator, TranslateData]:
    config = configure(TranslateConfig, {"unit": "words", "hidden": 24, **options})
    source, target = pairs(many)
    data = read_pairs(config, pl.DataFrame({"a": source, "b": target}))
    torch.manual_seed(seed)
    model = Translator(data.schema, config).eval()
    for parameter in model.parameters():  # larger than fresh weights, so that everything matters
        torch.nn.init.normal_(parameter, std=0.3)
    return model, data


@pytest.mark.parametrize("options", VARIANTS)
def test_steps_give_what_all_at_once_give(options):
    model, data = made(**options)
    batch = batch_of(data.train, np.arange(5))
    with torch.no_grad():
        read, weights = model(batch)
        expected = F.log_softmax(model.words.logits(read), -1)
    steps = Steps(model)
    steps.begin(*remembered(model, [data.train.source[n] for n in range(5)]))
    tokens, rows = torch.full((5,), BORDER), torch.arange(5)
    for t in range(int(batch.target_lengths.min())):
        scores, attention = steps.step(rows, range(5), tokens)
        torch.testing.assert_close(scores, expected[:, t], rtol=1e-4, atol=1e-5)
        for n, one in enumerate(attention):
            many = int(batch.source_lengths[n])
            torch.testing.assert_close(one[0], weights[n, t, :many], rtol=1e-4, atol=1e-5)
        tokens = batch.target[:, t]


@pytest.mark.parametrize("options", VARIANTS)
def test_what_pads_a_batch_changes_nothing(options):
    model, data = made(**options)
    rows = np.arange(8)
    with torch.no_grad():
        together = model.surprise(batch_of(data.train, rows))
        apart = sum(model.surprise(batch_of(data.train, rows[n : n + 1])) for n in range(8))
    torch.testing.assert_close(together, apart, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("options", VARIANTS)
def test_translations_have_the_same_bits_side_by_side_and_alone(options):
    model, data = made(**options)
    sources, beam = data.train.source, Beam(width=4, best=2)
    whole = translated(model, data.schema, sources, beam)
    for n in range(0, len(sources), 7):
        alone = translated(model, data.schema, sources.take(np.array([n])), beam)[0]
        assert [(one.tokens, one.score) for one in alone] == [(one.tokens, one.score) for one in whole[n]]
        np.testing.assert_array_equal(alone[0].attention, whole[n][0].attention)


def test_the_score_of_a_translation_is_its_chance():
    model, data = made()
    found = translated(model, data.schema, data.train.source, Beam(width=3, length_penalty=0))
    for n in range(10):
        (one,) = found[n]
        target = torch.tensor([one.tokens])
        source = torch.from_numpy(data.train.source[n].astype(np.int64))[None]
        lengths = torch.tensor([source.shape[1]]), torch.tensor([target.shape[1]])
        with torch.no_grad():
            nats = float(model.surprise(Batch(source, lengths[0], target.long(), lengths[1])))
        ended = len(one.tokens) < int(np.ceil(data.schema.ratio * (source.shape[1] + 1))) + 10
        if ended:
            assert one.score == pytest.approx(-nats, rel=1e-5)


def test_a_wider_beam_never_finds_a_less_likely_text_than_greedy_of_the_same_length():
    model, data = made()
    narrow = translated(model, data.schema, data.train.source, Beam(width=1, length_penalty=0))
    wide = translated(model, data.schema, data.train.source, Beam(width=24, length_penalty=0))
    gains = [b[0].score - a[0].score for a, b in zip(narrow, wide, strict=True)]
    assert np.mean(np.array(gains) >= -1e-6) > 0.95


def test_a_source_without_tokens_becomes_nothing():
    model, data = made()
    sources = Ragged.of([np.zeros(0, dtype=np.int32), data.train.source[0]])
    empty, other = translated(model, data.schema, sources, Beam())
    assert empty[0].tokens == []
    assert empty[0].logarithm == 0 > other[0].logarithm


def test_smoothing_is_torchs():
    model, data = made(smoothing=0.2, dropout=0)
    model.train()
    torch.manual_seed(1)
    batch = batch_of(data.train, np.arange(4))
    loss = model.loss(batch)
    torch.manual_seed(1)
    read, _ = model(batch)
    rows = [
        F.cross_entropy(
            model.words.logits(read[n, : length + 1]),
            torch.cat([batch.target[n, :length], torch.tensor([BORDER])]),
            label_smoothing=0.2,
            reduction="sum",
        )
        for n, length in enumerate(batch.target_lengths.tolist())
    ]
    torch.testing.assert_close(loss, sum(rows) / (batch.target_lengths + 1).sum())


@pytest.mark.parametrize("attention", ["luong", "bahdanau"])
def test_it_learns_to_put_words_in_the_other_order(attention):
    config = configure(
        TranslateConfig, {"unit": "words", "hidden": 48, "attention": attention, "dropout": 0.0}
    )
    source, target = pairs(600)
    data = read_pairs(config, pl.DataFrame({"a": source, "b": target}))
    torch.manual_seed(0)
    model = Translator(data.schema, config)
    task = Translate()
    task.prepare(model, config, data)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(14):
        for key in task.epoch(config, data, epoch):
            optimizer.zero_grad()
            loss, _ = task.loss(model.train(), task.batch(data, key), None)
            loss.backward()
            optimizer.step()
    evaluation = task.evaluate(model, config, data)
    scores = {score.method: score.metrics for score in evaluation.scores}
    assert scores["Recurra"]["exact"] > 0.8
    assert (
        scores["Recurra"]["bleu"]
        > scores["Most frequent phrases"]["bleu"]
        > scores["The source as it is"]["bleu"]
    )
    assert "is better than every baseline" in evaluation.words[0]
    # Each word was made from its partner: the order is turned round.
    texts = data.test.pairs.source[:20]
    straight = 0
    for text, (one,) in zip(texts, task.translate(model, data.schema, texts, Beam()), strict=True):
        many = len(text.split())
        straight += one.alignment == tuple((many - 1 - n, n) for n in range(many))
    assert straight > 12


def test_an_unknown_word_is_copied():
    config = configure(TranslateConfig, {"unit": "words", "hidden": 24})
    source, target = pairs(100)
    data = read_pairs(config, pl.DataFrame({"a": source, "b": target}))
    torch.manual_seed(0)
    model = Translator(data.schema, config)
    with torch.no_grad():
        model.words.biases[0][1] = 50.0  # nothing but unknown words
    task = Translate()
    (found,) = task.translate(model, data.schema, ["Xaver sieht Yolanda"], Beam(most=3))[0]
    assert set(found.text.split()) <= {"Xaver", "sieht", "Yolanda"}


@pytest.mark.parametrize("unit", ["bpe", "characters", "words"])
def test_text_comes_piece_by_piece_and_is_the_whole_in_the_end(unit):
    config = configure(TranslateConfig, {"unit": unit, "hidden": 24})
    source, target = pairs(300)
    data = read_pairs(config, pl.DataFrame({"a": source, "b": target}))
    torch.manual_seed(0)
    model = Translator(data.schema, config)
    told: dict[int, list[str]] = {n: [] for n in range(12)}
    found = Translate().translate(
        model, data.schema, source[:12], Beam(width=3), lambda n, piece: told[n].append(piece)
    )
    assert ["".join(told[n]) for n in range(12)] == [one[0].text for one in found]


def test_tokens_of_a_text_are_those_of_its_line():
    _, data = made(unit="bpe")
    schema = data.schema
    np.testing.assert_array_equal(
        encode_text("ein hund", schema.source), encode_text("  ein hund \r", schema.source)
    )
