// What a bundle expects, and how good it is beside its baselines.

import { make, unique } from "./dom.js";
import { expected } from "./expected.js";
import { better, headline, isShare, judged, meaning } from "./metrics.js";
import { table } from "./table.js";
import { figure, percent, size } from "./words.js";

export function about(info) {
  return make(
    "aside.about",
    { "aria-label": "About this model" },
    make("h3", {}, "What it expects"),
    expected(info).map((sentence) => make("p", {}, sentence)),
    scores(info),
    details("What was found in the data", make("ul.lines", {}, info.found.map((line) => make("li", {}, line)))),
    details("The model", facts(info)),
  );
}

export function scores(info) {
  const metric = headline(info);
  if (!metric) return make("div", {}, make("h3", {}, "How good it is"), make("p", {}, "It has no scores."));
  return make(
    "div",
    {},
    make("h3", {}, "How good it is"),
    verdict(info).map((sentence) => make("p", {}, sentence)),
    ladder(info.scores, metric),
    details(
      "All scores",
      (info.words ?? []).slice(verdict(info).length).map((sentence) => make("p", {}, sentence)),
      allScores(info.scores),
      make("p.hint", {}, "Signature: ", make("code", {}, info.signature)),
    ),
  );
}

// Who won; of a captioner also whether it looks at the pictures at all.
function verdict(info) {
  return (info.words ?? []).slice(0, info.task === "caption" ? 2 : 1);
}

// The model and its baselines by the metric that counts, as bars.
function ladder(all, metric) {
  const rows = all
    .filter((score) => judged(score.method) === judged(all[0].method) && Number.isFinite(score.metrics[metric]))
    .map((score) => ({ method: score.method, value: score.metrics[metric] }));
  const most = Math.max(...rows.map((row) => row.value), 0);
  const way = better(metric);
  const title = `${metric.replaceAll("_", " ")}${meaning(metric) ? `: ${meaning(metric)}` : ""}${way ? `; ${way} is better` : ""}`;
  const id = unique("ladder");
  return make(
    "div.ladder",
    {},
    make("p.hint", { id }, title),
    make(
      "ol",
      { "aria-labelledby": id },
      rows.map(({ method, value }, i) => {
        const fill = make("span.fill");
        fill.style.width = `${most > 0 ? (100 * Math.max(0, value)) / most : 0}%`;
        return make(
          i === 0 ? "li.ours" : "li",
          {},
          make("span.name", {}, method),
          make("span.share", {}, shown(metric, value)),
          make("span.track", { "aria-hidden": "true" }, fill),
        );
      }),
    ),
  );
}

function allScores(all) {
  const metrics = Object.keys(all[0].metrics);
  const rows = all.map((score) => ({ method: score.method, ...score.metrics }));
  const cells = Object.fromEntries(metrics.filter(isShare).map((name) => [name, percent]));
  const names = Object.fromEntries(metrics.map((name) => [name, name.replaceAll("_", " ")]));
  return table(["method", ...metrics], rows, { caption: "The model and its baselines on the same examples.", cells, names });
}

function shown(metric, value) {
  return isShare(metric) ? percent(value) : figure(value);
}

function facts(info) {
  const rows = [
    ["Task", info.task],
    ["Weights", figure(info.parameters)],
    ["Version", info.version],
    ["Can be asked to", info.can.join(", ")],
  ];
  if (info.stream) rows.push(["A stream’s state", size(info.stream.bytes)]);
  return make("dl", {}, rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

export function details(title, ...inside) {
  return make("details", {}, make("summary", {}, title), inside);
}
