// Where a word looked: its weights for the parts of a picture, [rows][columns], in words and as a shade.

const NAMES = [
  ["upper left", "top", "upper right"],
  ["left", "middle", "right"],
  ["lower left", "bottom", "lower right"],
];
const EVERYWHERE = "all over";
const PLAIN = 1.2; // how many times more than elsewhere it must have looked somewhere, for that to be told
const FINE = 96; // pixels a side of a shade, which is then made as large as the picture
const WIDTH = 0.45; // of a part's light, in parts
const DARK = 0.8; // of what was looked at least
const FLAT = 0.5; // difference, in means, below which a word looked at everything more or less alike, and little is dark

// {where: "upper left", share}: the ninth of the picture that was looked at most closely, and its share.
export function whereOf(weights) {
  const [rows, columns] = [weights.length, weights[0].length];
  const found = new Map();
  for (const [r, row] of weights.entries()) {
    for (const [c, weight] of row.entries()) {
      const name = NAMES[third(r, rows)][third(c, columns)];
      const { share = 0, parts = 0 } = found.get(name) ?? {};
      found.set(name, { share: share + weight, parts: parts + 1 });
    }
  }
  const close = ([, { share, parts }]) => (share * rows * columns) / parts;
  const best = [...found].reduce((a, b) => (close(b) > close(a) ? b : a));
  return close(best) < PLAIN ? { where: EVERYWHERE, share: 1 } : { where: best[0], share: best[1].share };
}

function third(at, many) {
  return Math.min(2, Math.floor((3 * (at + 0.5)) / many));
}

// How dark each part is, one after the other: what was looked at most is not.
export function darkness(weights) {
  const all = weights.flat();
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const spread = Math.max(most - least, 1e-12);
  const dark = DARK * Math.min(1, (spread * all.length) / FLAT);
  return all.map((weight) => (dark * (most - weight)) / spread);
}

// A canvas of darkness without edges between the parts, as many rows as it has.
export function shaded(dark, rows) {
  const columns = dark.length / rows;
  const [down, across] = [blend(rows), blend(columns)];
  const canvas = new OffscreenCanvas(FINE, FINE);
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(FINE, FINE);
  for (let y = 0; y < FINE; y += 1) {
    // The row of parts that this line of pixels lies in.
    const line = Array.from({ length: columns }, (_, c) => down[y].reduce((sum, a, r) => sum + a * dark[r * columns + c], 0));
    for (let x = 0; x < FINE; x += 1) {
      pixels.data[4 * (y * FINE + x) + 3] = 255 * across[x].reduce((sum, a, c) => sum + a * line[c], 0);
    }
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

// For each pixel the shares that the parts have in it: a bell around each part's middle.
const blends = new Map();
function blend(parts) {
  if (!blends.has(parts)) {
    const found = Array.from({ length: FINE }, (_, x) => {
      const at = ((x + 0.5) * parts) / FINE - 0.5;
      const bells = Array.from({ length: parts }, (_, part) => Math.exp(-0.5 * ((part - at) / WIDTH) ** 2));
      const sum = bells.reduce((a, b) => a + b, 0);
      return bells.map((one) => one / sum);
    });
    blends.set(parts, found);
  }
  return blends.get(parts);
}
