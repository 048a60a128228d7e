// Tabs as the ARIA practices describe them: arrows move between them, Home and End to the ends.

import { make, unique } from "./dom.js";

// panels: [{key, name, element}]. onchoose(key) is told of each choice; choose(key) makes one.
export function tabs(label, panels, onchoose) {
  const list = make("div.tabs", { role: "tablist", "aria-label": label });
  const rows = panels.map(({ key, name, element }) => {
    const id = unique("tab");
    const panel = make(
      "section.panel",
      { role: "tabpanel", id: `${id}-panel`, "aria-labelledby": id, hidden: true },
      element,
    );
    const tab = make("button.tab", { type: "button", role: "tab", id, "aria-controls": panel.id }, name);
    tab.addEventListener("click", () => choose(key));
    list.append(tab);
    return { key, tab, panel };
  });
  list.addEventListener("keydown", (event) => {
    const at = rows.findIndex(({ tab }) => tab === document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    const next = rows[(to + rows.length) % rows.length];
    choose(next.key);
    next.tab.focus();
  });
  function choose(key) {
    const chosen = rows.find((row) => row.key === key) ?? rows[0];
    for (const { tab, panel } of rows) {
      const on = tab === chosen.tab;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
      panel.hidden = !on;
    }
    onchoose(chosen.key);
  }
  return { element: make("div.tabbed", {}, list, rows.map(({ panel }) => panel)), choose };
}
