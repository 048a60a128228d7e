// Text in which each token bears its surprise as colour.

import { make } from "./dom.js";
import { table } from "./table.js";
import { figure, visible } from "./words.js";

// Bits from which on a token has each strength: a chance of 1 in 4, 16, 64, 256.
const LEVELS = [2, 4, 6, 8];

export const LEGEND =
  "The deeper the blue, the more a token surprised the model, given all before it: from 2, 4, 6 and 8 bits on, " +
  "a chance of 1 in 4, 16, 64 and 256 or less. The last two are underlined.";

export function marked({ token, bits }) {
  const strength = LEVELS.filter((level) => bits >= level).length;
  const shown = token.replaceAll("\n", "↵\n");
  if (!strength) return document.createTextNode(shown);
  return make(`mark.s${strength}`, { title: `${figure(bits, 3)} bits` }, shown);
}

// The tokens that surprised most, as a table.
export function most(tokens, count = 10) {
  const rows = tokens
    .map(({ token, bits }, i) => ({
      token: visible(token),
      bits,
      place: i + 1,
      before: tokens
        .slice(Math.max(0, i - 12), i)
        .map((one) => one.token)
        .join("")
        .slice(-24),
    }))
    .sort((a, b) => b.bits - a.bits)
    .slice(0, count);
  return table(["token", "bits", "place", "before"], rows, {
    caption: "The tokens that surprised most.",
    names: { place: "place in the text", before: "what stood before it" },
    cells: { bits: (x) => figure(x, 3), before: visible },
  });
}
