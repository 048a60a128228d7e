"""The signature that every score carries, so that two scores can be compared only where they may be.

In the manner of sacreBLEU (Post 2018, "A Call for Clarity in Reporting BLEU Scores").
"""

from __future__ import annotations

import recurra

# Enough of a sha256 to tell data sets apart at sight.
PREFIX = 12


def signature(task: str, *, sha256: str, seed: int, dtype: str, **settings: object) -> str:
    """`task|setting:value|…|data:<sha256 prefix>|seed:0|dtype:float32|version:0.1.0`, settings as given."""
    parts = [task]
    parts += [f"{name}:{_plain(value)}" for name, value in settings.items()]
    parts += [
        f"data:{sha256[:PREFIX] or 'unknown'}",
        f"seed:{seed}",
        f"dtype:{dtype}",
        f"version:{recurra.__version__}",
    ]
    return "|".join(parts)


def _plain(value: object) -> str:
    text = ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
    return text.replace("|", "/").replace(" ", "_")
