"""How near translations come to their references: BLEU and chrF by sacrebleu, and the share that is right.

Papineni et al. (2002), Popović (2015), Post (2018), "A Call for Clarity in Reporting BLEU Scores".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from recurra.data.frequency import Array
from recurra.errors import ConfigError
from recurra.report.methods import Interval

NAMES = {"bleu": "BLEU", "chrf": "chrF", "exact": "Just right"}
# Characters of a text, in the median, up to which it is a word or two: just right, or not.
SHORT = 20
ORDER = 4
RESAMPLES = 1000


class Judge:
    """References (N), each with one text or more, and what is counted of texts beside them.

    letters: BLEU counts runs of characters, where texts have no words between spaces. Raises ConfigError
    without sacrebleu.
    """

    def __init__(self, references: Sequence[Sequence[str]], seed: int = 0, *, letters: bool = False) -> None:
        metrics = need_sacrebleu().metrics
        self.references = [list(texts) for texts in references]
        # sacrebleu takes the first of each, the second of each, …, None where there is no more.
        most = max(map(len, self.references), default=0)
        self._columns = [
            [texts[at] if at < len(texts) else None for texts in self.references] for at in range(most)
        ]
        cut = {"tokenize": "char"} if letters else {}
        # forced: texts may be cut into words already, which sacrebleu would warn of.
        self._bleu, self._chrf = metrics.BLEU(force=True, **cut), metrics.CHRF()
        # Sentences have runs of four words or not; only the sums over all of them make a score.
        self._one: Any = metrics.BLEU(effective_order=True, force=True, **cut)
        self._drawing: Any = metrics.CHRF()  # its signature tells of resamples
        self._draws = np.random.default_rng(seed).multinomial(
            max(1, len(self.references)),
            np.full(max(1, len(self.references)), 1 / max(1, len(self.references))),
            RESAMPLES,
        )

    @property
    def signatures(self) -> dict[str, str]:
        """sacrebleu's, by metric. After at least one text was judged."""
        return {
            "bleu": str(self._bleu.get_signature()),
            "chrf": str(self._chrf.get_signature()),
        }

    def metrics(self, texts: Sequence[str]) -> dict[str, float]:
        """Scores of texts: BLEU and chrF from 0 to 100, and the share from 0 to 1."""
        return {
            "bleu": float(self._bleu.corpus_score(list(texts), self._columns).score),
            "chrf": float(self._chrf.corpus_score(list(texts), self._columns).score),
            "exact": float(self.exact(texts).mean()),
        }

    def exact(self, texts: Sequence[str]) -> Array:
        """(N,) whether each text is one of its references, but for spaces."""
        pairs = zip(texts, self.references, strict=True)
        return np.array([a.split() in map(str.split, of) for a, of in pairs], dtype=np.float64)

    def each(self, texts: Sequence[str]) -> Array:
        """(N,) chrF of each text by itself, which says of a single one more than BLEU does."""
        pairs = zip(texts, self.references, strict=True)
        return np.array([self._chrf.sentence_score(a, of).score for a, of in pairs])

    def draws(self, texts: Sequence[str]) -> dict[str, Array]:
        """(RESAMPLES,) of BLEU and of the share, on texts drawn with return; the same for all methods."""
        counted = [self._one.sentence_score(a, of) for a, of in zip(texts, self.references, strict=True)]
        counts = np.array([[*one.counts, *one.totals, one.sys_len, one.ref_len] for one in counted])
        sums = (self._draws @ counts).tolist()
        bleu = [
            self._bleu.compute_bleu(
                one[:ORDER], one[ORDER : 2 * ORDER], one[-2], one[-1], smooth_method="exp"
            ).score
            for one in sums
        ]
        return {"bleu": np.array(bleu), "exact": self._draws @ self.exact(texts) / len(texts)}

    def chrf_interval(self, texts: Sequence[str]) -> Interval:
        """The 95 % interval of chrF, by sacrebleu's own bootstrap; NaN where a resample has nothing right."""
        try:
            found = self._drawing.corpus_score(list(texts), self._columns, n_bootstrap=RESAMPLES)
        except TypeError:  # a score of zero is a number of another kind there
            return Interval(math.nan, math.nan)
        return Interval(found._mean - found._ci, found._mean + found._ci)


def compared(references: Sequence[Sequence[str]], letters: bool) -> str:
    """The metric that methods are compared by."""
    short = letters and float(np.median([len(texts[0]) for texts in references])) <= SHORT
    return "exact" if short else "bleu"


def need_sacrebleu() -> Any:
    """The package. Raises ConfigError."""
    try:
        import sacrebleu  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            "expected the package sacrebleu, which judges translations, got an install without it. "
            "Install recurra[text]."
        ) from error
    return sacrebleu
