"""Answers for many large files in bounded memory: each part is read, answered and written by itself."""

from recurra.batch.files import Answers, answers, predict

__all__ = ["Answers", "answers", "predict"]
