"""How near captions come to those that people gave a picture: BLEU-1 to BLEU-4, CIDEr-D and ROUGE-L.

Papineni et al. (2002), by sacrebleu; Vedantam et al. (2015); Lin & Och (2004). As the field has them:
BLEU-n of all pictures together, of runs of 1 to n words alike, with the closest of the references' lengths,
not smoothed. METEOR is left out, since it needs tables of synonyms and stems that no light library keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from recurra.data.frequency import Array
from recurra.errors import ConfigError
from recurra.tasks.caption.cider import ORDER, SIGMA, cider_d
from recurra.tasks.caption.rouge import BETA, rouge_l
from recurra.tasks.caption.words import words

NAMES = {
    **{f"bleu{n}": f"BLEU-{n}" for n in range(1, ORDER + 1)},
    "cider": "CIDEr-D",
    "rouge": "ROUGE-L",
}
RESAMPLES = 1000
# Numbers of drawn pictures that are in memory at once.
CHUNK = 4_000_000


class Judge:
    """References of N pictures, each with one caption or more, and what is counted of texts beside them.

    Raises ConfigError without sacrebleu.
    """

    def __init__(self, references: Sequence[Sequence[str]], seed: int = 0) -> None:
        metrics = need_sacrebleu().metrics
        self._references = [[words(text) for text in texts] for texts in references]
        self._joined = [[" ".join(one) for one in of] for of in self._references]
        self._seed = seed
        # In lower case already, which the signature tells; forced, as it would warn of words cut before.
        settings = {"tokenize": "none", "smooth_method": "none", "lowercase": True, "force": True}
        # Only what it counts of each text is taken, so that the order of runs does not matter.
        self._one: Any = metrics.BLEU(effective_order=True, max_ngram_order=ORDER, **settings)
        # sacrebleu takes the first of each, the second of each, …, None where there is no more. Its signature
        # tells how many there are, and nothing else of them.
        most = max(map(len, self._joined), default=0)
        columns = [["" if at < len(of) else None for of in self._joined] for at in range(most)]
        self._bleu: Any = metrics.BLEU(references=columns, **settings)
        self._last: tuple[tuple[str, ...], Array] | None = None

    @property
    def signatures(self) -> dict[str, str]:
        """How each metric is counted, BLEU of any length in sacrebleu's words."""
        bleu = str(self._bleu.get_signature()).replace("tok:none", "tok:words")
        nrefs = bleu.split("|")[0]
        ours = f"{nrefs}|case:lc|tok:words"
        return {
            "bleu": bleu,
            "cider": f"{ours}|n:{ORDER}|sigma:{SIGMA:g}|df:judged references",
            "rouge": f"{ours}|beta:{BETA:g}",
        }

    def metrics(self, texts: Sequence[str]) -> dict[str, float]:
        """Scores of texts: BLEU and ROUGE-L from 0 to 100, CIDEr-D from 0 to 10."""
        counts = self._counted(texts)
        return {metric: float(of[0]) for metric, of in self._scores(counts.sum(0)[None]).items()}

    def each(self, texts: Sequence[str]) -> Array:
        """(N,) CIDEr-D of each picture's text."""
        return self._counted(texts)[:, -2]

    def draws(self, texts: Sequence[str]) -> dict[str, Array]:
        """(RESAMPLES,) of every metric on pictures drawn with return, the same for all methods.

        The document frequencies of CIDEr-D stay those of all judged pictures.
        """
        counts = self._counted(texts)
        rng = np.random.default_rng(self._seed)
        chance = np.full(len(counts), 1 / len(counts))
        at_once = max(1, CHUNK // len(counts))
        rows = [min(at_once, RESAMPLES - at) for at in range(0, RESAMPLES, at_once)]
        sums = [rng.multinomial(len(counts), chance, many).astype(np.float64) @ counts for many in rows]
        return self._scores(np.concatenate(sums))

    def _counted(self, texts: Sequence[str]) -> Array:
        """What is counted of each text, (N, 2 · ORDER + 4) float64.

        Its runs that are right, and all of them, by their length; its words and those of the reference whose
        length is closest; CIDEr-D and ROUGE-L.
        """
        if self._last is not None and self._last[0] == tuple(texts):
            return self._last[1]
        cut = [words(text) for text in texts]
        counted = [
            self._one.sentence_score(" ".join(text), of) for text, of in zip(cut, self._joined, strict=True)
        ]
        bleu = [[*one.counts, *one.totals, one.sys_len, one.ref_len] for one in counted]
        others = [cider_d(cut, self._references), rouge_l(cut, self._references)]
        self._last = tuple(texts), np.column_stack([np.array(bleu, dtype=np.float64), *others])
        return self._last[1]

    def _scores(self, sums: Array) -> dict[str, Array]:
        """Every metric from sums (R, 2 · ORDER + 4) of counts over N pictures, each (R,)."""
        counts = sums[:, :-2].astype(np.int64).tolist()
        found = {}
        for n in range(1, ORDER + 1):
            scores = [
                self._bleu.compute_bleu(of[:n], of[ORDER : ORDER + n], *of[-2:], max_ngram_order=n).score
                for of in counts
            ]
            found[f"bleu{n}"] = np.array(scores)
        pictures = len(self._references)
        return found | {"cider": sums[:, -2] / pictures, "rouge": 100 * sums[:, -1] / pictures}


def need_sacrebleu() -> Any:
    """The package. Raises ConfigError."""
    try:
        import sacrebleu  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            "expected the package sacrebleu, which judges captions, got an install without it. "
            "Install recurra[image]."
        ) from error
    return sacrebleu
