"""Sessions in Redis, so that any of several servers goes on with them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from recurra.errors import ConfigError
from recurra.serve.store import Entry, Kept, OtherVersion, StoreError

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ImportError as error:  # pragma: no cover
    raise ConfigError(
        "expected the package redis for --redis, got an install without it. Run: pip install 'recurra[redis]'"
    ) from error

TIMEOUT = 2.0  # seconds that Redis may take; the streams wait for it
PREFIX = "recurra:"

# A session is a hash: owner, version, state, alone, and its last answers as a1, a2, …
# One script reads and takes it, another writes only for who has taken it last: a server that has been cut off
# cannot write over the one that has gone on.
TAKE = """
local key = KEYS[1]
if ARGV[3] == '1' then redis.call('DEL', key) end
local version = redis.call('HGET', key, 'version')
if version then
  local known = false
  for n = 4, #ARGV do if ARGV[n] == version then known = true end end
  if not known then return {'other', version} end
end
redis.call('HSET', key, 'owner', ARGV[1])
redis.call('PEXPIRE', key, ARGV[2])
return redis.call('HGETALL', key)
"""
# Without a new answer the stream was put back or begun anew, and its old answers are worth nothing.
PUT = """
local key = KEYS[1]
if redis.call('HGET', key, 'owner') ~= ARGV[1] then return 0 end
if #ARGV == 6 then
  redis.call('DEL', key)
  redis.call('HSET', key, 'owner', ARGV[1])
end
redis.call('HSET', key, 'version', ARGV[3], 'state', ARGV[4], 'alone', ARGV[5])
for n = 7, #ARGV, 2 do
  redis.call('HSET', key, 'a' .. ARGV[n], ARGV[n + 1])
  redis.call('HDEL', key, 'a' .. (ARGV[n] - ARGV[6]))
end
redis.call('PEXPIRE', key, ARGV[2])
return 1
"""
FORGET = """
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""


class RedisStore:
    """Sessions in a Redis database, for `keep` seconds each. answers: how many of the last are kept."""

    every_step = True

    def __init__(self, url: str, keep: float, answers: int) -> None:
        self._keep, self._answers = int(keep * 1000), answers
        try:
            self._redis = redis.Redis.from_url(
                url,
                socket_timeout=TIMEOUT,
                socket_connect_timeout=TIMEOUT,
                # Sent again, a script would run twice; the stream that asked is closed instead.
                retry=Retry(NoBackoff(), 0),
            )
            self._redis.ping()
        except (redis.RedisError, ValueError, OSError) as error:
            raise ConfigError(
                f"expected a Redis server, got {error}. Start it, or correct --redis."
            ) from error
        self._take, self._forget = map(self._redis.register_script, (TAKE, FORGET))
        self._put = self._redis.script_load(PUT)

    def take(self, key: str, owner: str, versions: Collection[str], *, fresh: bool) -> Kept | None:
        """See `Store`."""
        try:
            flat = self._take([PREFIX + key], [owner, self._keep, int(fresh), *versions])
        except (redis.RedisError, OSError) as error:
            raise StoreError(str(error)) from error
        if flat[:1] == [b"other"]:
            raise OtherVersion
        found = dict(zip(flat[::2], flat[1::2], strict=True))
        if b"state" not in found:
            return None
        answers = sorted((int(name[1:]), text) for name, text in found.items() if name[1:].isdigit())
        return Kept(found[b"version"].decode(), found[b"state"], answers, found[b"alone"] == b"1")

    def put(self, entries: Sequence[Entry]) -> list[bool]:
        """See `Store`. The answers of an entry are those since the one before."""
        try:
            found = self._send(entries)
            if any(isinstance(one, redis.exceptions.NoScriptError) for one in found):  # Redis has begun anew
                self._redis.script_load(PUT)
                found = self._send(entries)
        except (redis.RedisError, OSError) as error:
            raise StoreError(str(error)) from error
        broken = next((one for one in found if isinstance(one, Exception)), None)
        if broken is not None:
            raise StoreError(str(broken)) from broken
        return [one == 1 for one in found]

    def _send(self, entries: Sequence[Entry]) -> list[Any]:
        pipeline = self._redis.pipeline(transaction=False)
        for key, owner, kept in entries:
            new: list[int | bytes] = []
            for answer in kept.answers:
                new += answer
            about = (owner, self._keep, kept.version, kept.state, int(kept.alone), self._answers)
            pipeline.evalsha(self._put, 1, PREFIX + key, *about, *new)
        found: list[Any] = pipeline.execute(raise_on_error=False)
        return found

    def forget(self, key: str, owner: str) -> None:
        """See `Store`."""
        try:
            self._forget([PREFIX + key], [owner])
        except (redis.RedisError, OSError) as error:
            raise StoreError(str(error)) from error

    def alive(self) -> bool:
        """See `Store`."""
        try:
            return bool(self._redis.ping())
        except (redis.RedisError, OSError):
            return False

    def close(self) -> None:
        """See `Store`."""
        self._redis.close()
