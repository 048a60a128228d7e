"""What pictures are called, in words and by users."""

from __future__ import annotations

import re
from pathlib import Path

from recurra.data.images import UNREADABLE, is_image
from recurra.data.media.medium import Medium

# Features of a picture, as numpy.save writes them: read where the picture itself is not there.
FEATURES = ".npy"
# As Flickr's files number the captions of a picture.
NUMBERED = re.compile(r"#\d+$")


def is_picture(path: Path) -> bool:
    """Whether the name is that of a picture that can be read, or of its features."""
    return is_image(path) or path.suffix.lower() == FEATURES


def picture_name(cell: str) -> str:
    """A picture's name, as in "1.jpg#0", without the number of its caption."""
    return NUMBERED.sub("", cell.strip())


PICTURES = Medium(
    one="picture",
    many="pictures",
    text="caption",
    said="captions",
    formats="JPEG, PNG, WebP, GIF, BMP, TIFF or PPM",
    converter="ImageMagick",
    is_it=is_picture,
    unreadable=UNREADABLE,
    tables=("captions", "caption", "metadata", "results", "annotations", "dataset"),
    paths=(
        "image",
        "path",
        "file",
        "filename",
        "picture",
        "file_name",
        "image_name",
        "image_path",
        "filepath",
        "img",
        "photo",
    ),
    texts=("caption", "captions", "text", "comment", "sentence", "sentences", "description", "raw"),
    folders=("", "images", "Images", "pictures", "imgs", "photos", "features"),
    left_out=("", ".jpg", ".jpeg", ".png", ".webp", FEATURES),
    instead=(FEATURES,),
    several=True,
    name=picture_name,
    problems={
        "missing": ("picture that is not there", "pictures that are not there"),
        "damaged": ("damaged picture", "damaged pictures"),
        "unwritten": ("picture without a caption", "pictures without a caption"),
        "unpaired": ("file of captions without a picture", "files of captions without a picture"),
    },
)
