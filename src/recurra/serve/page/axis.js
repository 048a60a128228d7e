// Where the marks of an axis lie.

// Round numbers within [low, high], about `count` of them.
export function ticks(low, high, count) {
  const step = roundStep((high - low) / Math.max(1, count));
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => clean((first + i) * step));
}

function roundStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  const found = [1, 2, 2.5, 5, 10].find((part) => part * power >= rough * (1 - 1e-9));
  return (found ?? 10) * power;
}

// 0.30000000000000004 as 0.3
function clean(x) {
  return Number(x.toPrecision(12));
}

// [low, high] of some values with a little air; never empty.
export function span(values, { zero = false } = {}) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return [0, 1];
  if (zero) low = Math.min(0, low);
  const air = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
  return [low === 0 && zero ? 0 : low - air, high + air];
}

// Positions within [first, last] for about `count` labels, at whole steps that are round numbers apart.
export function stepTicks(first, last, count) {
  const step = Math.max(1, Math.ceil(roundStep((last - first) / Math.max(1, count))));
  const found = [];
  for (let at = Math.ceil(first / step) * step; at <= last; at += step) found.push(at);
  return found;
}
