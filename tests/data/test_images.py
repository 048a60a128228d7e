"""Pictures as pixels: each format, each mode, each way of lying, sizes, and files that are none."""

from __future__ import annotations

import io
import struct
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recurra.data import images
from recurra.data.images import ENDINGS, UNREADABLE, decode_image, is_image, read_image, read_size
from recurra.errors import ConfigError, DataError

RED, GREEN, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
SIDE = 32
NOISE = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
DAMAGED = "expected a whole picture, got one that cannot be read: it is damaged, cut short or of a rare make"

# Pillow warns of these by itself.
QUIET = pytest.mark.filterwarnings("ignore:Corrupt EXIF data", "ignore:Truncated File Read")


def packed(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def corners(width: int = 60, height: int = 40) -> Image.Image:
    """A red, a green, a blue and a yellow quarter, as one reads."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(GREEN, (width // 2, 0, width, height))
    image.paste(BLUE, (0, height // 2, width, height))
    image.paste(YELLOW, (width // 2, height // 2, width, height))
    return image


def quarters(pixels: np.ndarray) -> list[tuple[int, ...]]:
    """The colours in the middle of the quarters."""
    low, high = len(pixels) // 4, 3 * len(pixels) // 4
    return [tuple(map(int, pixels[y, x])) for y in (low, high) for x in (low, high)]


def near(found: np.ndarray, expected: object, by: int) -> bool:
    return int(np.abs(np.asarray(found).astype(int) - np.asarray(expected)).max()) <= by


@pytest.mark.parametrize(
    ("kind", "options", "by"),
    [
        ("JPEG", {"quality": 95}, 4),
        ("JPEG", {"progressive": True, "quality": 95}, 4),
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("WEBP", {"quality": 95}, 8),
        ("GIF", {}, 0),
        ("BMP", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("TIFF", {"compression": "tiff_adobe_deflate"}, 0),
        ("TIFF", {"compression": "packbits"}, 0),
        ("TIFF", {"compression": "jpeg", "quality": 95}, 4),
        ("PPM", {}, 0),
    ],
)
def test_every_format_gives_the_picture_that_went_in(tmp_path, kind, options, by):
    path = tmp_path / "corners.bin"
    path.write_bytes(packed(corners(), kind, **options))
    found = read_image(path, SIDE)
    assert (found.kind, found.width, found.height) == (kind, 60, 40)
    assert found.mode == ("P" if kind == "GIF" else "RGB")
    assert found.pixels.shape == (SIDE, SIDE, 3)
    assert found.pixels.dtype == np.uint8
    assert found.pixels.flags.c_contiguous
    assert found.pixels.flags.writeable
    assert near(quarters(found.pixels), [RED, GREEN, BLUE, YELLOW], by)
    assert read_size(path) == (60, 40)
    assert read_image(path, SIDE).pixels.tobytes() == found.pixels.tobytes()


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("WEBP", {"lossless": True}), ("BMP", {}), ("TIFF", {}), ("PPM", {})],
)
def test_a_picture_of_the_size_that_is_asked_for_keeps_its_pixels(kind, options):
    found = decode_image(packed(Image.fromarray(NOISE), kind, **options), "a", SIDE)
    np.testing.assert_array_equal(found.pixels, NOISE)


# Where the quarters are seen, by the orientation of EXIF.
SEEN = {
    1: [RED, GREEN, BLUE, YELLOW],
    2: [GREEN, RED, YELLOW, BLUE],
    3: [YELLOW, BLUE, GREEN, RED],
    4: [BLUE, YELLOW, RED, GREEN],
    5: [RED, BLUE, GREEN, YELLOW],
    6: [BLUE, RED, YELLOW, GREEN],
    7: [YELLOW, GREEN, BLUE, RED],
    8: [GREEN, YELLOW, RED, BLUE],
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", [*SEEN, 0, 9])
def test_a_picture_is_turned_as_its_exif_says(tmp_path, kind, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    raw = packed(corners(), kind, exif=exif.tobytes())
    found = decode_image(raw, "a", SIDE)
    assert near(quarters(found.pixels), SEEN.get(orientation, SEEN[1]), 10)
    size = (40, 60) if orientation in (5, 6, 7, 8) else (60, 40)
    assert (found.width, found.height) == size
    (tmp_path / "a.x").write_bytes(raw)
    assert read_size(tmp_path / "a.x") == size
    # Large enough to be decoded at an eighth first.
    if kind == "JPEG":
        large = decode_image(packed(corners(1_200, 800), kind, exif=exif.tobytes()), "a", SIDE)
        assert near(quarters(large.pixels), SEEN.get(orientation, SEEN[1]), 10)
        assert (large.width, large.height) == (size[0] * 20, size[1] * 20)


@QUIET
def test_a_picture_whose_exif_is_damaged_is_read():
    for exif in (b"Exif\0\0", b"Exif\0\0none of it", b"Exif\0\0II*\0\xff\xff\xff\xff"):
        for kind in ("PNG", "WEBP"):
            found = decode_image(packed(corners(), kind, exif=exif), "a", SIDE)
            assert near(quarters(found.pixels), SEEN[1], 10)


def test_grey_is_the_same_in_each_colour():
    levels = NOISE[..., 0]
    for kind in ("PNG", "BMP", "TIFF", "PPM"):
        found = decode_image(packed(Image.fromarray(levels), kind), "a", SIDE)
        assert found.mode == "L"
        np.testing.assert_array_equal(found.pixels, np.stack([levels] * 3, 2))
    # Of 16 bits the upper 8: 257 levels of them are one.
    for deep in (levels.astype(np.uint16) * 257, levels.astype(np.uint16) * 256 + 255):
        for kind in ("PNG", "TIFF"):
            found = decode_image(packed(Image.fromarray(deep), kind), "a", SIDE)
            assert found.mode.startswith("I")
            np.testing.assert_array_equal(found.pixels, np.stack([levels] * 3, 2))
        graymap = b"P5\n32 32\n65535\n" + deep.astype(">u2").tobytes()
        np.testing.assert_array_equal(decode_image(graymap, "a", SIDE).pixels[..., 1], levels)


def sixteen(levels: list[list[int]], *patches: tuple[int, int, int]) -> bytes:
    """A TIFF of 16-bit grey in which tags (number, value, another value) are changed."""
    raw = packed(Image.fromarray(np.array(levels, dtype=np.uint16)), "TIFF")
    for tag, value, other in patches:
        before = struct.pack("<HHIHH", tag, 3, 1, value, 0)
        assert raw.count(before) == 1
        raw = raw.replace(before, struct.pack("<HHIHH", tag, 3, 1, other, 0))
    return raw


def test_a_tiff_may_have_its_white_below_and_twelve_bits():
    whole = sixteen([[0, 65535], [32768, 257]])
    assert decode_image(whole, "a", 2).pixels[..., 0].tolist() == [[0, 255], [128, 1]]
    below = sixteen([[0, 65535], [32768, 257]], (262, 1, 0))
    assert decode_image(below, "a", 2).pixels[..., 0].tolist() == [[255, 0], [127, 254]]
    # Two of twelve bits lie in three bytes: 0x000 0xfff and 0x800 0x010.
    levels = [[0x1234, 0x5678], [0x9ABC, 0xDEF0]]
    raw = sixteen(levels, (258, 16, 12))
    data = np.array(levels, dtype="<u2").tobytes()
    assert raw.count(data) == 1
    raw = raw.replace(data, bytes([0x00, 0x0F, 0xFF, 0x80, 0x00, 0x10, 0, 0]))
    assert decode_image(raw, "a", 2).pixels[..., 0].tolist() == [[0, 255], [128, 1]]


def test_floats_from_0_to_1_are_read_and_others_are_not():
    levels = (NOISE[..., 0] / 255).astype(np.float32)
    found = decode_image(packed(Image.fromarray(levels), "TIFF"), "a", SIDE)
    assert found.mode == "F"
    np.testing.assert_array_equal(found.pixels[..., 2], NOISE[..., 0])
    for odd, told in ((-1.5, "-1.5 to 1"), (812, "0 to 812"), (np.nan, "nan to nan"), (np.inf, "0 to inf")):
        other = levels.copy()
        other[0, :3] = 0, 1, odd
        with pytest.raises(DataError) as caught:
            decode_image(packed(Image.fromarray(other), "TIFF"), "a.tif", SIDE)
        assert str(caught.value) == (f"a.tif: expected floats from 0 to 1, got {told}. Save it with 8 bits.")


def test_grey_with_a_sign_or_of_32_bits_is_refused():
    raw = packed(Image.fromarray(NOISE[..., 0].astype(np.int32)), "TIFF")
    with pytest.raises(
        DataError, match=r"a: expected grey of 8 or 16 bits, got numbers of 32 bits or with a"
    ):
        decode_image(raw, "a", SIDE)


def test_one_bit_is_black_and_white():
    bits = NOISE[..., 0] > 127
    for kind in ("PNG", "BMP", "TIFF", "PPM"):
        found = decode_image(packed(Image.fromarray(bits), kind), "a", SIDE)
        assert found.mode == "1"
        np.testing.assert_array_equal(found.pixels[..., 0], bits * 255)


def test_colours_of_a_palette():
    image = corners().quantize(4)
    for kind in ("PNG", "GIF", "BMP", "TIFF"):
        found = decode_image(packed(image, kind), "a", SIDE)
        assert found.mode == "P"
        assert quarters(found.pixels) == SEEN[1]
    red = image.getpixel((0, 0))
    for kind in ("PNG", "GIF"):
        found = decode_image(packed(image, kind, transparency=red), "a", SIDE)
        assert quarters(found.pixels) == [WHITE, GREEN, BLUE, YELLOW]
    alphas = bytearray(b"\xff" * 4)
    alphas[red] = 51
    found = decode_image(packed(image, "PNG", transparency=bytes(alphas)), "a", SIDE)
    assert near(quarters(found.pixels), [(255, 204, 204), GREEN, BLUE, YELLOW], 1)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("side", [SIDE, SIDE // 4])
def test_what_one_sees_through_lies_on_white(kind, side):
    rng = np.random.default_rng(1)
    alpha = rng.integers(0, 256, (SIDE, SIDE, 1), dtype=np.uint8)
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    found = decode_image(
        packed(Image.fromarray(np.concatenate([NOISE, alpha], 2)), kind, **options), "a", side
    )
    share = alpha / 255
    expected = np.rint(NOISE * share + 255 * (1 - share)).astype(np.uint8)
    # What is seen is scaled; hidden colours do not come through.
    if side != SIDE:
        flat = Image.fromarray(expected)
        expected = np.asarray(flat.resize((side, side), Image.Resampling.BICUBIC, reducing_gap=2))
    assert found.mode == "RGBA"
    assert near(found.pixels, expected, 3)
    solid = np.concatenate([NOISE, np.full_like(alpha, 255)], 2)
    if side == SIDE:
        raw = packed(Image.fromarray(solid), kind, **options)
        np.testing.assert_array_equal(decode_image(raw, "a", side).pixels, NOISE)


def test_grey_that_one_sees_through_lies_on_white():
    both = np.stack([NOISE[..., 0], NOISE[..., 1]], 2)
    share = both[..., 1] / 255
    for kind in ("PNG", "TIFF"):
        found = decode_image(packed(Image.fromarray(both, "LA"), kind), "a", SIDE)
        assert found.mode == "LA"
        assert near(found.pixels[..., 0], both[..., 0] * share + 255 * (1 - share), 2)


def test_one_colour_can_be_clear():
    image = corners()
    assert quarters(decode_image(packed(image, "PNG", transparency=GREEN), "a", SIDE).pixels)[1] == WHITE
    grey = Image.fromarray(np.array([[0, 100], [200, 50]], dtype=np.uint8))
    found = decode_image(packed(grey, "PNG", transparency=100), "a", 2)
    assert found.pixels[..., 0].tolist() == [[0, 255], [200, 50]]
    deep = Image.fromarray(np.array([[0, 25701], [25702, 65535]], dtype=np.uint16))
    found = decode_image(packed(deep, "PNG", transparency=25701), "a", 2)
    assert found.pixels[..., 0].tolist() == [[0, 255], [100, 255]]


def test_inks_are_colours():
    inks = {(255, 0, 0, 0): (0, 255, 255), (0, 255, 0, 0): (255, 0, 255), (0, 0, 255, 0): YELLOW}
    inks |= {(0, 0, 0, 255): BLACK, (0, 0, 0, 0): WHITE, (0, 255, 255, 0): RED, (0, 0, 0, 128): (127,) * 3}
    for ink, colour in inks.items():
        for size in (40, 900):
            raw = packed(Image.new("CMYK", (size, size), ink), "JPEG", quality=95)
            # Adobe's programs, and Pillow, write them the other way round.
            assert b"Adobe" in raw
            found = decode_image(raw, "a", SIDE)
            assert (found.mode, found.width) == ("CMYK", size)
            assert near(found.pixels, colour, 3)
        assert near(decode_image(packed(Image.new("CMYK", (9, 9), ink), "TIFF"), "a", 9).pixels, colour, 0)


def test_brightness_and_differences_are_colours():
    raw = packed(corners().convert("YCbCr"), "TIFF")
    found = decode_image(raw, "a", SIDE)
    assert found.mode == "YCbCr"
    assert near(quarters(found.pixels), SEEN[1], 3)
    # CIE's figures for white, a grey and the red of sRGB under D50.
    lab = {(100, 0, 0): WHITE, (53.59, 0, 0): (128,) * 3, (54.29, 80.8, 69.89): RED, (0, 0, 0): BLACK}
    for (light, a, b), colour in lab.items():
        pixel = (round(light * 2.55), round(a) + 128, round(b) + 128)
        # Pillow keeps these two with 128 added.
        image = Image.merge("LAB", [Image.new("L", (8, 8), level) for level in pixel])
        found = decode_image(packed(image, "TIFF"), "a", 8)
        assert found.mode == "LAB"
        assert near(found.pixels, colour, 5)


def test_the_first_picture_of_several_is_read():
    frames = [Image.new("RGB", (30, 20), colour) for colour in (RED, GREEN, BLUE)]
    for kind, options in (
        ("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {}), ("MPO", {})
    ):  # fmt: skip
        raw = packed(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        found = decode_image(raw, "a", SIDE)
        assert near(found.pixels, RED, 2)
        assert found.kind == ("JPEG" if kind == "MPO" else kind)


def test_a_colour_profile_changes_nothing():
    from PIL import ImageCms  # noqa: PLC0415

    good = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (good, b"none at all"):
        raw = packed(Image.fromarray(NOISE), "PNG", icc_profile=profile)
        np.testing.assert_array_equal(decode_image(raw, "a", SIDE).pixels, NOISE)


@pytest.mark.parametrize("size", [(1, 1), (1, 5_000), (5_000, 1), (2, 3), (31, 33), (1, 3_000_000)])
def test_every_shape_becomes_a_square(tmp_path, size):
    path = tmp_path / "a.png"
    Image.new("RGB", size, (10, 200, 30)).save(path)
    found = read_image(path, SIDE)
    assert (found.width, found.height) == size == read_size(path)
    # Means of very many pixels may be off by one.
    assert near(found.pixels, (10, 200, 30), 1 if max(size) > 5_000 else 0)


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("JPEG", {"quality": 95, "subsampling": 0})])
@pytest.mark.parametrize("times", [2, 5, 16])
def test_a_smaller_picture_has_the_means_of_the_large_one(kind, options, times):
    y, x = np.mgrid[: SIDE * times, : 2 * SIDE * times] / (SIDE * times)
    waves = [np.sin(6 * x + 2 * y), np.cos(5 * y), np.sin(3 * x * y)]
    large = np.rint(127.5 + 120 * np.stack(waves, 2)).astype(np.uint8)
    found = decode_image(packed(Image.fromarray(large), kind, **options), "a", SIDE)
    means = large.reshape(SIDE, times, SIDE, 2 * times, 3).mean((1, 3))
    assert near(found.pixels[2:-2, 2:-2], means[2:-2, 2:-2], 6)


def test_stripes_finer_than_a_pixel_are_grey():
    stripes = np.zeros((640, 640, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    assert near(decode_image(packed(Image.fromarray(stripes), "PNG"), "a", SIDE).pixels, 127, 2)


def test_a_large_jpeg_is_decoded_at_an_eighth_of_its_sides(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    corners(8_000, 8_000).save(path)
    # As many pixels as an eighth has, and no more.
    monkeypatch.setattr(images, "MOST_PIXELS", 1_000 * 1_000)
    found = read_image(path, 224)
    assert (found.width, found.height) == (8_000, 8_000)
    assert near(quarters(found.pixels), SEEN[1], 3)
    # For these an eighth of a side would be too little, so it is a quarter.
    with pytest.raises(
        DataError, match=r"a\.jpg: expected a picture of at most 1,000,000 pixels, got 4,000,000\."
    ):
        read_image(path, 800)


def test_a_picture_of_too_many_pixels_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MOST_PIXELS", 300 * 200)
    for kind in ("PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG"):
        # Which is held in whole.
        options = {"progressive": True} if kind == "JPEG" else {}
        decode_image(packed(corners(300, 200), kind, **options), "a", 16)
        path = tmp_path / "a.x"
        path.write_bytes(packed(corners(300, 201), kind, **options))
        with pytest.raises(DataError) as caught:
            read_image(path, 16)
        assert str(caught.value) == (
            "a.x: expected a picture of at most 60,000 pixels, got 60,300. Scale it down."
        )
        assert read_size(path) == (300, 201)


def test_pillows_own_limit_is_not_heard_of_and_left_as_it_is(tmp_path):
    path, wide = tmp_path / "a.jpg", tmp_path / "b.png"
    # Above twice the pixels from which on Pillow warns.
    Image.new("L", (14_000, 13_000), 77).save(path)
    raw = bytearray(packed(Image.new("L", (10, 10)), "PNG"))
    raw[16:24] = struct.pack(">II", 20_000, 10_000)
    raw[29:33] = struct.pack(">I", zlib.crc32(raw[12:29]))
    wide.write_bytes(raw)
    before, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    assert before is not None
    assert 2 * before < 14_000 * 13_000
    assert before >= images.MOST_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_size(path) == (14_000, 13_000)
        assert near(read_image(path, SIDE).pixels, 77, 1)
        assert read_size(wide) == (20_000, 10_000)
        with pytest.raises(DataError, match="at most 89,000,000 pixels, got 200,000,000"):
            read_image(wide, SIDE)
    assert (before, filters) == (Image.MAX_IMAGE_PIXELS, list(warnings.filters))


def test_a_limit_of_pillow_that_somebody_set_is_told_as_ours(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000)
    # A frame that is larger than its animation says: Pillow looks at it by itself.
    raw = bytearray(packed(Image.new("L", (10, 10)), "GIF"))
    frame = raw.index(b"," + struct.pack("<HHHH", 0, 0, 10, 10))
    raw[frame + 5 : frame + 9] = struct.pack("<HH", 100, 100)
    with pytest.raises(DataError, match=r"expected a picture of at most [\d,]+ pixels, got 10,000\. Scale"):
        decode_image(bytes(raw), "a.gif", SIDE)


def test_pictures_are_read_side_by_side():
    raws = [packed(corners(900, 700), kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")] * 4
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda raw: decode_image(raw, "a", 64).pixels.tobytes(), raws))
    assert found == [decode_image(raw, "a", 64).pixels.tobytes() for raw in raws]


CUT = [
    ("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("WEBP", {}), ("WEBP", {"lossless": True}),
    ("GIF", {}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("PPM", {}),
]  # fmt: skip


@QUIET
@pytest.mark.parametrize(("kind", "options"), CUT)
@pytest.mark.parametrize("side", [16, 256])
def test_a_file_that_ends_too_soon_is_refused(kind, options, side):
    noise = np.random.default_rng(2).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((320, 240), Image.Resampling.BICUBIC)
    raw = packed(image, kind, **options)
    whole = decode_image(raw, "a.x", side).pixels.tobytes()
    for end in [*range(20, 400, 38), *np.linspace(400, len(raw) - 40, 12).astype(int)]:
        with pytest.raises(DataError) as caught:
            decode_image(raw[:end], "a.x", side)
        assert str(caught.value).startswith(f"a.x: {DAMAGED} (")
        assert str(caught.value).endswith("). Copy it again, or convert it.")
        assert caught.value.file == "a.x"
    # Without its last bytes it may be whole.
    for end in range(len(raw) - 40, len(raw), 3):
        try:
            found = decode_image(raw[:end], "a.x", side)
        except DataError:
            continue
        assert found.pixels.tobytes() == whole


def test_a_png_with_a_broken_chunk_is_refused():
    raw = packed(Image.fromarray(NOISE), "PNG")
    data = raw.index(b"IDAT")
    for at in (18, 30, data + 1, data + 20, data + 500, len(raw) - 20):
        broken = bytearray(raw)
        broken[at] ^= 0x55
        with pytest.raises(DataError) as caught:
            decode_image(bytes(broken), "a.png", SIDE)
        assert DAMAGED in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "is empty"),
        (b"no picture at all " * 40, "begins with b'no picture at al'"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00" * 3, "begins with b'\\x00\\x00\\x00\\x18ftypheic"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "begins with b'%!PS-Adobe-3.0 E'"),
        (b"8BPS" + bytes(60), "begins with b'8BPS"),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path, raw, told):
    path = tmp_path / "a.jpg"
    path.write_bytes(raw)
    for read in (lambda path: read_image(path, SIDE), read_size):
        with pytest.raises(DataError) as caught:
            read(path)
        assert str(caught.value).startswith(
            "a.jpg: expected a picture (JPEG, PNG, WebP, GIF, BMP, TIFF or PPM), got a file that " + told
        )
        assert str(caught.value).endswith(". Save it again as one of these.")
        assert caught.value.file == "a.jpg"


@pytest.mark.parametrize(
    "raw", [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"II*\0", b"BM", b"P6\n", b"GIF89a"]
)
def test_what_only_begins_as_a_picture_is_refused(tmp_path, raw):
    path = tmp_path / "a.jpg"
    path.write_bytes(raw)
    for read in (lambda path: read_image(path, SIDE), read_size):
        with pytest.raises(DataError) as caught:
            read(path)
        assert str(caught.value).startswith(f"a.jpg: {DAMAGED} (")


def test_what_is_not_there_is_refused(tmp_path):
    for read in (lambda path: read_image(path, SIDE), read_size):
        with pytest.raises(
            DataError, match=r"none\.jpg: expected a picture, got nothing at .* Check the path"
        ):
            read(tmp_path / "none.jpg")
        with pytest.raises(DataError, match="expected a picture, got a folder at"):
            read(tmp_path)


def test_a_file_of_another_kind_is_to_be_converted(tmp_path):
    (tmp_path / "a.HEIC").write_bytes(b"x")
    for read in (lambda path: read_image(path, SIDE), read_size):
        with pytest.raises(DataError) as caught:
            read(tmp_path / "a.HEIC")
        assert str(caught.value) == (
            "a.HEIC: expected JPEG, PNG, WebP, GIF, BMP, TIFF or PPM, got .HEIC. Convert it, for instance "
            "with `magick a.HEIC a.png`."
        )


def test_the_package_that_is_needed_is_named(monkeypatch):
    raw = packed(Image.fromarray(NOISE), "PNG")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ConfigError, match=r"expected the package pillow.*Install recurra\[image\]"):
        decode_image(raw, "a", SIDE)


def test_a_want_of_memory_is_not_the_files_fault(monkeypatch):
    from PIL.PngImagePlugin import PngImageFile  # noqa: PLC0415

    def load(_: PngImageFile) -> None:
        raise MemoryError

    monkeypatch.setattr(PngImageFile, "load", load)
    with pytest.raises(MemoryError):
        decode_image(packed(Image.fromarray(NOISE), "PNG"), "a", SIDE)


def test_pictures_are_told_by_their_names():
    assert all(is_image(Path(f"a{ending}")) and is_image(Path(f"a{ending.upper()}")) for ending in ENDINGS)
    assert not any(is_image(Path(f"a{ending}")) for ending in (*UNREADABLE, "", ".txt", ".csv"))
    assert not is_image(Path("jpg"))
    Image.init()
    assert {*ENDINGS} <= {*Image.registered_extensions()}
