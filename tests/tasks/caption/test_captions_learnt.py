"""What a captioner learns from: which captions go with which picture, in what order, and whether it looks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("PIL", reason="pictures need Pillow")
pytest.importorskip("sacrebleu", reason="captions are judged by sacrebleu")

from things import SMALL, captioner, write_things

from recurra.decode.beam import Beam
from recurra.errors import DataError
from recurra.fit import configure
from recurra.tasks.caption.augment import normal, otherwise
from recurra.tasks.caption.captioning import captioned
from recurra.tasks.caption.config import CaptionConfig
from recurra.tasks.caption.data import CaptionData, read_pictures
from recurra.tasks.caption.evaluate import SHUFFLED, _shuffled, evaluate
from recurra.tasks.caption.task import Caption
from recurra.tasks.caption.texts import tell_sides
from untrained import untrained


def read(folder: Path, **options: Any) -> tuple[CaptionConfig, CaptionData]:
    config = configure(CaptionConfig, {**SMALL, **options})
    return config, read_pictures(config, folder)


def test_a_batch_has_each_picture_with_its_own_captions(tmp_path: Path) -> None:
    config, data = read(write_things(tmp_path / "pictures", 30))
    task, part = Caption(), data.train
    for key in task.epoch(config, data, 0):
        batch = task.batch(data, key)
        for row, n in enumerate(key[:, 0].tolist()):
            np.testing.assert_array_equal(batch.seen[row].numpy(), part.pictures.look(np.array([n]))[0])
            own = {data.schema.tokens.decode(part.target[m]) for m in part.captions_of(n)}
            told = torch.nonzero(batch.of == row)[:, 0].tolist()
            said = {data.schema.tokens.decode(batch.target[m, : batch.lengths[m]].numpy()) for m in told}
            assert said == own


def test_every_picture_comes_once_a_pass_each_time_in_another_order(tmp_path: Path) -> None:
    config, data = read(write_things(tmp_path / "pictures", 30))
    orders = [np.concatenate(Caption().epoch(config, data, epoch))[:, 0].tolist() for epoch in range(3)]
    assert all(sorted(order) == list(range(len(data.train))) for order in orders)
    assert orders[0] != orders[1] != orders[2]
    assert np.concatenate(Caption().epoch(config, data, 0))[:, 0].tolist() == orders[0]


def test_of_many_captions_all_have_their_turn(tmp_path: Path) -> None:
    folder = write_things(tmp_path / "pictures", 20)
    table = folder / "captions.csv"
    table.write_text(
        "image,caption\n" + "".join(f"{n:04}.png,word{m} here\n" for n in range(20) for m in range(7))
    )
    config, data = read(folder)
    seen: Counter[int] = Counter()
    for epoch in range(30):
        for key in Caption().epoch(config, data, epoch):
            batch = Caption().batch(data, key)
            assert torch.bincount(batch.of).tolist() == [data.schema.shape.captions] * len(key)
            seen.update(batch.target[:, 0].tolist())
    assert len(seen) == 7
    assert max(seen.values()) < 2 * min(seen.values())


def test_mirrored_only_where_it_may_be(tmp_path: Path) -> None:
    torch.manual_seed(0)
    pixels = torch.zeros(64, 32, 32, 3, dtype=torch.uint8)
    pixels[:, :, 24:] = 255  # bright on the right
    x = normal(pixels)

    def turned(mirror: bool) -> float:
        found = otherwise(x, mirror)
        return float((found[..., :16].mean((1, 2, 3)) > found[..., 16:].mean((1, 2, 3))).float().mean())

    assert turned(False) == 0
    assert 0.2 < turned(True) < 0.8
    folder = write_things(tmp_path / "pictures", 20)
    assert not read(folder)[1].schema.mirror  # captions that say left and right
    assert read(folder, mirror=True)[1].schema.mirror
    assert tell_sides(["a dog on the left", "a cat"])
    assert not tell_sides(["a bright dog"] * 99 + ["right here"])


def test_every_picture_gets_the_caption_of_another() -> None:
    for many in (2, 3, 50):
        texts = [f"caption {n}" for n in range(many)]
        found = _shuffled(texts, seed=1)
        assert sorted(found) == sorted(texts)
        assert all(one != other for one, other in zip(found, texts, strict=True))


def test_the_verdict_tells_a_model_that_looks_from_one_that_does_not(tmp_path: Path) -> None:
    config, data = read(write_things(tmp_path / "pictures", 60), test=0.3)
    looked = [some[0] for some in data.test.pictures.captions]
    words = evaluate(looked, [], config, data).words
    assert words[0].startswith("The model is better than every baseline here: CIDEr-D ")
    assert words[1].startswith("It looks at the pictures: ")
    blind = evaluate(["a red circle beside a blue square"] * len(data.test), [], config, data).words
    assert any(line.startswith("It makes no use of the pictures: ") for line in blind)


def test_one_judged_picture_says_nothing(tmp_path: Path) -> None:
    config, data = read(write_things(tmp_path / "pictures", 12), test=0.05)
    assert len(data.test) == 1
    found = evaluate(["a red circle"], [], config, data)
    assert found.words[0].startswith("One picture was judged, which says nothing")
    assert SHUFFLED not in [score.method for score in found.scores]


def test_the_digest_tells_one_set_from_another(tmp_path: Path) -> None:
    folder = write_things(tmp_path / "pictures", 20)
    before = read(folder)[1].sha256
    assert read(folder)[1].sha256 == before
    table = folder / "captions.csv"
    table.write_text(table.read_text().replace("beside", "near", 1))
    after = read(folder)[1].sha256
    assert after != before
    (folder / "0000.png").write_bytes((folder / "0001.png").read_bytes())
    assert read(folder)[1].sha256 != after


@pytest.mark.parametrize(("pixels", "largest"), [(40, 64), (64, 64), (200, 128)])
def test_pictures_are_read_no_larger_than_they_are(pixels: int, largest: int, tmp_path: Path) -> None:
    from PIL import Image  # noqa: PLC0415

    folder = write_things(tmp_path / "pictures", 20)
    for path in folder.glob("*.png"):
        with Image.open(path) as opened:
            opened.resize((pixels, pixels)).save(path)
    assert read(folder, side=None, time_budget="3h")[1].schema.shape.side == largest


def test_all_kept_back(tmp_path: Path) -> None:
    folder = write_things(tmp_path / "pictures", 20)
    names = tmp_path / "names.txt"
    names.write_text("".join(f"{n:04}.png\n" for n in range(20)))
    with pytest.raises(DataError, match="expected pictures to learn from, got all of them kept back"):
        read(folder, valid=str(names))
    half = tmp_path / "half.txt"
    half.write_text("".join(f"{n:04}.png\n" for n in range(10)))
    with pytest.raises(DataError, match="expected names that no other part has"):
        read(folder, valid=str(half), test=str(half))


def test_the_captions_of_words_that_occur_once(tmp_path: Path) -> None:
    folder = write_things(tmp_path / "pictures", 12)
    rows = [f"{n:04}.png,{''.join(chr(97 + (n * 7 + m) % 26) for m in range(5))}\n" for n in range(12)]
    (folder / "captions.csv").write_text("image,caption\n" + "".join(rows))
    assert len(read(folder)[1].schema.tokens) > 10


def test_a_caption_without_end_is_cut(tmp_path: Path) -> None:
    folder = write_things(tmp_path / "pictures", 12)
    table = folder / "captions.csv"
    table.write_text(table.read_text() + f"0003.png,{'a red circle ' * 3_000}\n")
    data = read(folder, seed=3)[1]
    assert int(data.train.target.lengths.max()) <= 100
    assert data.schema.longest <= 100
    if any("0003" in name for name in data.train.pictures.names):
        assert any(line == "cut: 1 caption to the first 100 tokens" for line in data.found)


def test_features_and_pictures_do_not_mix(tmp_path: Path) -> None:
    folder = write_things(tmp_path / "pictures", 20)
    np.save(folder / "0003.npy", np.ones((4, 5), np.float32))
    (folder / "0003.png").unlink()
    with pytest.raises(DataError, match="or features of all of them, got features of 1 among 20"):
        read(folder)


def test_arrays_are_checked(tmp_path: Path) -> None:
    bundle = captioner(tmp_path)
    path = tmp_path / "pictures" / "0000.png"
    pixels = np.asarray(
        bundle.task.read(bundle.config, path.parent, bundle.schema).test.pictures.look(np.array([0]))
    )
    alone = bundle.caption([path])[0][0]
    assert bundle.caption([pixels[0]])[0][0].text == bundle.caption(path)[0][0].text == alone.text
    for wrong in (pixels[0][:16], pixels[0].astype(np.float32), np.zeros((4, 5), np.float32)):
        with pytest.raises(DataError, match=r"expected pixels \(32, 32, 3\) uint8, got"):
            bundle.caption([wrong])


def test_threads_do_not_change_what_a_large_picture_is_called(tmp_path: Path) -> None:
    bundle = captioner(tmp_path, many=6, side=128)
    model: Any = bundle.model
    rng, before = np.random.default_rng(0), torch.get_num_threads()
    seen = rng.integers(0, 256, (5, 128, 128, 3)).astype(np.uint8)
    found = []
    try:
        for threads, some in ((1, seen), (2, seen), (3, seen), (2, seen[:1]), (1, seen[:1])):
            torch.set_num_threads(threads)
            first = next(captioned(model, bundle.schema, some, Beam(3)))[0]
            found.append((first.tokens, first.score, first.attention.tobytes()))
    finally:
        torch.set_num_threads(before)
    assert all(one == found[0] for one in found)


def test_it_learns_to_look(tmp_path: Path) -> None:
    """Pictures of one colour all over, and its name."""
    from PIL import Image  # noqa: PLC0415

    folder = tmp_path / "plain"
    folder.mkdir()
    rows, rng = ["image,caption"], np.random.default_rng(0)
    colours = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 40, 220), "white": (250, 250, 250)}
    for n in range(120):
        name = [*colours][n % 4]
        pixels = np.clip(rng.normal(colours[name], 10, (32, 32, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{n}.png")
        rows.append(f"{n}.png,it is {name}")
    (folder / "captions.csv").write_text("\n".join(rows) + "\n")
    options = {**SMALL, "test": 0.2, "beam": 1, "dropout": 0.0}
    bundle = untrained("caption", folder, tmp_path / "bundle", **options)
    task, model = Caption(), bundle.model.train()
    data = task.read(bundle.config, folder)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    keys = [key for epoch in range(14) for key in task.epoch(bundle.config, data, epoch)]
    for key in keys:
        loss, _ = task.loss(model, task.batch(data, key), None)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = task.evaluate(model.eval(), bundle.config, data)
    scores = {score.method: score.metrics for score in found.scores}
    assert scores["Recurra"]["bleu1"] > 90
    assert scores["Recurra"]["bleu1"] > scores[SHUFFLED]["bleu1"] + 10
