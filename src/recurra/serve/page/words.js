// Numbers as they are read, and sentences from them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

// Four significant digits, thousands apart; "–" for what is missing.
export function figure(value, digits = 4) {
  if (value === null || value === undefined || value === "" || !Number.isFinite(Number(value))) return "–";
  const x = Number(value);
  if (x !== 0 && (Math.abs(x) >= 1e9 || Math.abs(x) < 1e-4)) return x.toExponential(2);
  if (Number.isInteger(x) || Math.abs(x) >= 10 ** digits) return whole.format(x);
  return new Intl.NumberFormat("en", { maximumSignificantDigits: digits }).format(x);
}

// How the numbers of a column are written: all with as many decimals as the largest of them has use for.
export function column(values, digits = 4) {
  const known = values.filter((x) => typeof x === "number" && Number.isFinite(x));
  const most = known.reduce((a, x) => Math.max(a, Math.abs(x)), 0);
  if (known.every(Number.isInteger) || most < 1e-3 || most >= 1e9) return (x) => figure(x, digits);
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(most)));
  const format = new Intl.NumberFormat("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return (x) => (typeof x === "number" && Number.isFinite(x) ? format.format(x) : "–");
}

export function percent(share) {
  if (share === null || share === undefined || !Number.isFinite(share)) return "–";
  if (share > 0 && share < 0.001) return "< 0.1 %";
  return `${(100 * share).toFixed(1)} %`;
}

export function size(bytes) {
  const units = ["bytes", "KiB", "MiB", "GiB"];
  let at = 0;
  let left = bytes;
  while (left >= 1024 && at < units.length - 1) {
    left /= 1024;
    at += 1;
  }
  return `${figure(left, 3)} ${units[at]}`;
}

export function many(count, one, several = `${one}s`) {
  return `${whole.format(count)} ${count === 1 ? one : several}`;
}

// "a, b and c"
export function listed(items, last = "and") {
  const all = items.map(String);
  return all.length < 2 ? all.join("") : `${all.slice(0, -1).join(", ")} ${last} ${all[all.length - 1]}`;
}

// Spaces and line ends that can be seen.
export function visible(token) {
  return token.replaceAll(" ", "␣").replaceAll("\n", "↵").replaceAll("\t", "⇥") || "(nothing)";
}
