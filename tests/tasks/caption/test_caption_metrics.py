"""What scores of captions are: coco-caption's figures, the papers' formulas, sacrebleu's, and resamples."""

from __future__ import annotations

import builtins
import math
from collections import Counter

import numpy as np
import pytest
import sacrebleu

from recurra.errors import ConfigError
from recurra.report.judging import interval
from recurra.tasks.caption import metrics
from recurra.tasks.caption.cider import cider_d
from recurra.tasks.caption.metrics import NAMES, RESAMPLES, Judge
from recurra.tasks.caption.rouge import longest_common, rouge_l
from recurra.tasks.caption.words import words

TEXTS = [
    "a dog runs on the grass",
    "two two two children play with the the ball in a park",
    "a man rides a wave on a surfboard",
    "a man",
    "snow covers a mountain",
]
REFERENCES = [
    ["a dog runs over the grass", "a brown dog is running on grass", "the dog runs"],
    ["two children play with a ball", "children are playing ball in the park"],
    [
        "a man rides a wave on a surfboard",
        "a surfer rides a big wave",
        "a man on a surfboard on a wave",
        "surfer",
    ],
    ["a woman walks her dog", "a woman walks her dog"],
    ["snow"],
]
# Figures of coco-caption's scorers for them.
CIDER = [2.5245961460475175, 1.5643207665050143, 3.917292141355481, 0.022974589750601442, 1.2697131159567423]
ROUGE = [0.8333333333333334, 0.5910852713178294, 1.0, 0.26521739130434785, 0.4485294117647059]
BLEU = [0.781249999975586, 0.6364688464999132, 0.5492769528523543, 0.484800678445112]
SOME = ["a", "the", "dog", "man", "on", "in", "red", "runs", "ball", "two"]


def drawn(pictures: int, seed: int = 0) -> tuple[list[str], list[list[str]]]:
    """Texts, some of them empty, and one reference to five of each, of few words, so that many come again."""
    dice = np.random.default_rng(seed)

    def one(least: int) -> str:
        return " ".join(dice.choice(SOME, dice.integers(least, 11)))

    return [one(0) for _ in range(pictures)], [
        [one(1) for _ in range(dice.integers(1, 6))] for _ in range(pictures)
    ]


def cut(texts: list[str]) -> list[list[str]]:
    return [text.split() for text in texts]


def of_length(text: list[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(text[at : at + n]) for at in range(len(text) - n + 1))


def cider_by_hand(text: list[str], references: list[list[str]], everything: list[list[list[str]]]) -> float:
    """The paper's equations, picture by picture, run by run."""
    total = 0.0
    for n in range(1, 5):

        def weights(of: list[str], n: int = n) -> dict[tuple[str, ...], float]:
            def frequency(run: tuple[str, ...]) -> int:
                return sum(any(run in of_length(one, n) for one in refs) for refs in everything)

            counts = of_length(of, n).items()
            return {run: k * math.log(len(everything) / max(1, frequency(run))) for run, k in counts}

        ours = weights(text)
        for one in references:
            theirs = weights(one)
            lengths = math.hypot(*ours.values()) * math.hypot(*theirs.values())
            inner = sum(min(ours.get(run, 0.0), weight) * weight for run, weight in theirs.items())
            gap = max(0, len(text) - 1) - max(0, len(one) - 1)
            total += (inner / lengths if lengths else 0) * math.exp(-(gap**2) / 72) / len(references)
    return 10 * total / 4


def rouge_by_hand(text: list[str], references: list[list[str]]) -> float:
    def common(a: list[str], b: list[str]) -> int:
        table = np.zeros((len(a) + 1, len(b) + 1), dtype=int)
        for i, x in enumerate(a, 1):
            for j, y in enumerate(b, 1):
                table[i, j] = table[i - 1, j - 1] + 1 if x == y else max(table[i - 1, j], table[i, j - 1])
        return int(table[-1, -1])

    precision = max(common(text, one) / max(1, len(text)) for one in references)
    recall = max(common(text, one) / len(one) for one in references)
    return (1 + 1.2**2) * precision * recall / (recall + 1.2**2 * precision) if precision else 0.0


def test_figures_are_those_of_coco_captions_scorers() -> None:
    judge = Judge(REFERENCES)
    found = judge.metrics(TEXTS)
    assert list(found) == list(NAMES)
    np.testing.assert_allclose(judge.each(TEXTS), CIDER, rtol=0, atol=1e-9)
    np.testing.assert_allclose(rouge_l(cut(TEXTS), [cut(of) for of in REFERENCES]), ROUGE, rtol=0, atol=1e-12)
    np.testing.assert_allclose([found[f"bleu{n}"] / 100 for n in (1, 2, 3, 4)], BLEU, rtol=0, atol=1e-9)
    assert found["cider"] == pytest.approx(np.mean(CIDER))
    assert found["rouge"] == pytest.approx(100 * np.mean(ROUGE))


@pytest.mark.parametrize("seed", range(3))
def test_cider_and_rouge_are_those_of_the_papers(seed: int) -> None:
    texts, references = drawn(30, seed)
    text, of = cut(texts), [cut(one) for one in references]
    by_hand = [cider_by_hand(a, b, of) for a, b in zip(text, of, strict=True)]
    np.testing.assert_allclose(cider_d(text, of), by_hand, rtol=0, atol=1e-9)
    by_hand = [rouge_by_hand(a, b) for a, b in zip(text, of, strict=True)]
    np.testing.assert_allclose(rouge_l(text, of), by_hand, rtol=0, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("pictures", [1, 3, 40])
def test_bleu_is_that_of_sacrebleu(n: int, pictures: int) -> None:
    texts, references = drawn(pictures, seed=5)
    columns = [[of[at] if at < len(of) else None for of in references] for at in range(5)]
    theirs = sacrebleu.BLEU(tokenize="none", max_ngram_order=n, smooth_method="none", force=True)
    expected = theirs.corpus_score(texts, [column for column in columns if any(column)]).score
    assert Judge(references).metrics(texts)[f"bleu{n}"] == pytest.approx(expected, abs=1e-9)


def test_a_text_that_is_a_reference_is_as_good_as_can_be() -> None:
    references = [["a dog runs on grass"], ["two men sit on a bench"], ["snow covers the high mountain"]]
    judge = Judge(references)
    found = judge.metrics(
        ["A dog runs on grass.", "Two men sit on a bench!", "snow covers the high mountain"]
    )
    expected = {**{f"bleu{n}": 100.0 for n in (1, 2, 3, 4)}, "cider": 10.0, "rouge": 100.0}
    assert found == pytest.approx(expected)


def test_empty_texts_are_worth_nothing() -> None:
    judge = Judge([["a dog runs"], ["snow", "much snow"]])
    assert set(judge.metrics(["", ""]).values()) == {0.0}
    assert judge.each(["", "..."]).tolist() == [0.0, 0.0]
    assert Judge([["..."], ["a dog"]]).metrics(["a", ""])["rouge"] == 0.0


def test_one_picture_has_no_rare_words() -> None:
    judge = Judge([["a dog runs on grass"]])
    found = judge.metrics(["a dog runs on grass"])
    assert (found["cider"], found["bleu4"], found["rouge"]) == pytest.approx((0, 100, 100))
    assert judge.draws(["a dog runs on grass"])["bleu4"] == pytest.approx(np.full(RESAMPLES, 100.0))


def test_references_given_twice_change_nothing() -> None:
    texts, references = drawn(20)
    once, twice = Judge(references), Judge([of + of for of in references])
    assert twice.metrics(texts) == pytest.approx(once.metrics(texts))


def test_a_reference_of_one_word_and_many_of_the_same() -> None:
    assert rouge_l([["snow"]], [[["snow"], ["much", "snow"]]]).tolist() == [1.0]
    assert longest_common(["a"] * 70 + ["b"], [["a"] * 65, ["b", "a"], [], ["c"]]) == [65, 1, 0, 0]


def test_draws_are_scores_of_the_pictures_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    texts, references = drawn(12, seed=1)
    judge = Judge(references, seed=3)
    draws = judge.draws(texts)
    assert {name: len(of) for name, of in draws.items()} == dict.fromkeys(NAMES, RESAMPLES)
    counts = np.random.default_rng(3).multinomial(12, np.full(12, 1 / 12), RESAMPLES)
    # The document frequencies stay those of all pictures.
    np.testing.assert_allclose(draws["cider"], counts @ judge.each(texts) / 12)
    for row in range(5):
        which = np.repeat(np.arange(12), counts[row])
        again = Judge([references[n] for n in which]).metrics([texts[n] for n in which])
        for name in NAMES.keys() - {"cider"}:
            assert draws[name][row] == pytest.approx(again[name])
    # However many are in memory at once.
    monkeypatch.setattr(metrics, "CHUNK", 100)
    in_parts = judge.draws(texts)
    assert all(in_parts[name] == pytest.approx(of) for name, of in draws.items())


def test_the_draws_of_two_methods_are_the_same() -> None:
    texts, references = drawn(20)
    judge = Judge(references)
    first, other = judge.draws(texts), judge.draws([of[0] for of in references])
    assert all((judge.draws(texts)[name] == of).all() for name, of in first.items())
    assert other["rouge"] == pytest.approx(np.full(RESAMPLES, 100.0))
    better = interval(other["cider"] - first["cider"])
    assert 0 < better.low < better.high


def test_signatures_say_how_it_was_counted() -> None:
    version = sacrebleu.__version__
    assert Judge([["a dog", "dogs"], ["snow", "ice"]]).signatures == {
        "bleu": f"nrefs:2|case:lc|eff:no|tok:words|smooth:none|version:{version}",
        "cider": "nrefs:2|case:lc|tok:words|n:4|sigma:6|df:judged references",
        "rouge": "nrefs:2|case:lc|tok:words|beta:1.2",
    }
    assert Judge([["a dog", "dogs"], ["snow"]]).signatures["rouge"].startswith("nrefs:var|")


def test_without_sacrebleu_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name, *rest, **more):
        if name == "sacrebleu":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"expected the package sacrebleu, .* Install recurra\[image\]"):
        Judge([["a dog"]])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A man's T-shirt isn't red .", "a man 's t-shirt is n't red"),
        ("the dogs' \"ball\" -- can't ; I've", "the dogs ball ca n't i 've"),
        ("a man 's dog does n't run", "a man 's dog does n't run"),
        ("a four-year-old - at 3 o'clock", "a four-year-old at 3 o'clock"),
        ("1,000 people, 3.5 m (10:30)", "1,000 people 3.5 m 10:30"),
        ("l’homme s'assoit à côté", "l'homme s'assoit à côté"),
        ("Ein Ma\u0308dchen läuft!", "ein mädchen läuft"),
        ("लड़का दौड़ रहा है।", "लड़का दौड़ रहा है"),
        ("کودک می\u200cدود،", "کودک می\u200cدود"),
        ("강아지가 뛴다.", "강아지가 뛴다"),
        ("两个孩子。", "两 个 孩 子"),
        ("Tシャツの男", "t シ ャ ツ の 男"),
        ("snake_case", "snake case"),
        ("", ""),
        (" ... !", ""),
    ],
)
def test_words_are_lower_case_without_punctuation(text: str, expected: str) -> None:
    assert words(text) == expected.split()
