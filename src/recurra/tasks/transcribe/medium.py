"""What recordings are called, in words and by users."""

from __future__ import annotations

from recurra.data.audio import UNREADABLE, is_audio
from recurra.data.media.medium import Medium

RECORDINGS = Medium(
    one="recording",
    many="recordings",
    text="text",
    said="what is said",
    formats="WAV, FLAC, OGG or MP3",
    converter="ffmpeg",
    is_it=is_audio,
    unreadable=UNREADABLE,
    tables=("transcripts", "transcript", "transcriptions", "metadata"),
    paths=(
        "path",
        "file",
        "filename",
        "file_name",
        "audio",
        "wav",
        "audio_path",
        "wav_filename",
        "recording",
    ),
    texts=("text", "transcript", "transcription", "sentence", "transcripts", "transcriptions"),
    speakers=("speaker", "client_id", "speaker_id"),
    folders=("", "clips", "wavs", "wav", "audio", "recordings"),
    left_out=("", ".wav", ".flac", ".mp3", ".ogg", ".opus"),
    problems={
        "missing": ("recording that is not there", "recordings that are not there"),
        "damaged": ("damaged recording", "damaged recordings"),
        "empty": ("recording without sound", "recordings without sound"),
        "silent": ("silent recording", "silent recordings"),
        "long": ("recording that is too long", "recordings that are too long"),
        "unwritten": ("recording without a text", "recordings without a text"),
        "unpaired": ("text without a recording", "texts without a recording"),
        "unpronounced": (
            "text with words that have no pronunciation",
            "texts with words that have no pronunciation",
        ),
        "crowded": (
            "text that is too long for its recording",
            "texts that are too long for their recordings",
        ),
    },
)
