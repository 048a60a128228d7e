// A picture as large as there is room, and over it a shade that leaves bright what was looked at.

import { make } from "./dom.js";
import { darkness, shaded } from "./looking.js";
import { drawn } from "./picture.js";

const LARGE = 1280; // pixels a side that are kept of a picture
const FADE = 160; // ms from one shade to the next

export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// image: a bitmap; told: what is said of it to those who do not see it
export function seen(image, told) {
  const picture = drawn(image, LARGE);
  const shade = make("canvas.shade", { width: picture.width, height: picture.height });
  const element = make("div.seen", { role: "img", "aria-label": told }, picture, shade);
  element.style.setProperty("--ratio", picture.width / picture.height);
  const context = shade.getContext("2d");
  let now = []; // how dark each part is
  let rows = 1;
  let run = 0; // of the fading, so that an older one ends

  function paint() {
    context.clearRect(0, 0, shade.width, shade.height);
    if (now.some((dark) => dark > 0.001)) context.drawImage(shaded(now, rows), 0, 0, shade.width, shade.height);
  }
  function fade(from, to, mine, since) {
    requestAnimationFrame((at) => {
      if (mine !== run) return;
      const part = Math.min(1, Math.max(0, (at - since) / FADE));
      now = to.map((dark, i) => (from[i] ?? 0) + part * (dark - (from[i] ?? 0)));
      paint();
      if (part < 1) fade(from, to, mine, since);
    });
  }
  return {
    element,
    picture,
    tell: (text) => element.setAttribute("aria-label", text),
    // weights: [rows][columns], or null for none: all of the picture is bright
    show(weights) {
      rows = weights ? weights.length : rows;
      const to = weights ? darkness(weights) : now.map(() => 0);
      run += 1;
      element.classList.toggle("shaded", weights !== null);
      if (still()) {
        now = to;
        paint();
      } else fade(now, to, run, performance.now());
    },
  };
}
