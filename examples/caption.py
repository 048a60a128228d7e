"""Draw pictures of two things, fit a captioner to them, and see what it says of another, and where it looks.

python examples/caption.py [folder [time budget]]
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import recurra

COLOURS = ("red", "green", "blue", "yellow")
SHAPES = ("circle", "square", "triangle")
SIDE = 64


def draw(rng: np.random.Generator) -> tuple[Image.Image, list[str]]:
    """A picture of two things side by side, and two sentences that say what it shows."""
    picture = Image.new("RGB", (SIDE, SIDE), tuple(map(int, rng.integers(200, 256, 3))))
    pen = ImageDraw.Draw(picture)
    things = []
    for place in (0, SIDE // 2):
        colour, shape = str(rng.choice(COLOURS)), str(rng.choice(SHAPES))
        size = int(rng.integers(16, 26))
        x, y = place + int(rng.integers(2, SIDE // 2 - size)), int(rng.integers(2, SIDE - size - 2))
        if shape == "circle":
            pen.ellipse((x, y, x + size, y + size), fill=colour)
        elif shape == "square":
            pen.rectangle((x, y, x + size, y + size), fill=colour)
        else:
            pen.polygon(((x, y + size), (x + size, y + size), (x + size // 2, y)), fill=colour)
        things.append(f"a {colour} {shape}")
    left, right = things
    return picture, [f"{left} beside {right}", f"{left} on the left and {right} on the right"]


def write(folder: Path, many: int, seed: int) -> Path:
    """A folder of pictures, and the table of their captions."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    rows = ["image,caption"]
    for n in range(many):
        picture, captions = draw(rng)
        picture.save(folder / f"{n:04}.png")
        rows += [f"{n:04}.png,{caption}" for caption in captions]
    (folder / "captions.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def main(out: str = "runs/things", time_budget: str = "3m") -> None:
    """Write a bundle and a report to `out`, and print what it says of a picture."""
    folder = write(Path(out).with_name(f"{Path(out).name}-pictures"), 1_000, seed=0)
    bundle = recurra.fit("caption", folder, time_budget=time_budget, out=out, overwrite=True)

    print(*bundle.record["words"], sep="\n")
    for score in bundle.record["scores"]:
        print(f"{score['method']:<30} CIDEr-D {score['metrics']['cider']:.2f}")

    picture, captions = draw(np.random.default_rng(1))
    picture.save(path := folder.with_name("new.png"))
    [[found]] = bundle.caption([path])
    print(f"drawn: {captions[0]}\nsaid:  {found.text}")
    for word, weight in zip(found.words, found.attention, strict=True):
        row, column = np.unravel_index(weight.argmax(), weight.shape)
        print(f"  {word:<10} looks at row {row + 1}, column {column + 1} of {weight.shape}")


if __name__ == "__main__":
    main(*sys.argv[1:])
