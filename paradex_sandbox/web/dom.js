// Small help with the document. Text is always set as text, never as markup.

export const $ = (selector) => document.querySelector(selector);

/** A new element with properties and children. */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Shows `items` as the rows of a table body. Rows are kept by key and only what changed is touched, so that focus,
 * selection and a screen reader's place survive.
 *
 * `cells(item)` gives one entry per column: a string, or {text, kind (class), title, ticks, action, label}. `ticks` colours
 * a number by its last move; `action` makes the cell a button. `row(item)` gives {kind, selected, bar}.
 */
export function rows(body, items, key, cells, row = () => ({})) {
  const old = (body.rowsByKey ??= new Map());
  const kept = new Set();
  let place = body.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    kept.add(name);
    const entries = cells(item);
    let line = old.get(name);
    if (!line) {
      line = element("tr", {}, ...entries.map((_, column) => column ? element("td") : element("th", { scope: "row" })));
      old.set(name, line);
    }
    if (line === place) place = place.nextElementSibling;
    else body.insertBefore(line, place);
    entries.forEach((entry, column) => update(line.children[column], entry));
    const { kind = "", selected, bar } = row(item);
    if (line.className !== kind) line.className = kind;
    if (selected !== undefined) line.setAttribute("aria-current", selected);
    if (bar !== undefined) line.style.setProperty("--bar", `${bar.toFixed(1)}%`);
  }
  for (const [name, line] of old) {
    if (!kept.has(name)) {
      line.remove();
      old.delete(name);
    }
  }
}

function update(cell, entry) {
  const { text, kind = "", title = "", ticks, action, label } = typeof entry === "string" ? { text: entry } : entry;
  let className = kind;
  if (ticks !== undefined) {
    const before = cell.lastNumber, now = Number(ticks);
    if (before !== undefined && before !== now) cell.direction = now > before ? "up" : "down";
    cell.lastNumber = now;
    className = `${kind} ${cell.direction ?? ""}`.trim();
  }
  let holder = cell;
  if (action) {
    holder = cell.firstElementChild ?? cell.appendChild(element("button", { type: "button", className: "link" }));
    holder.onclick = action;
    if (label) holder.setAttribute("aria-label", label);
  }
  if (holder.textContent !== text) holder.textContent = text;
  if (cell.className !== className) cell.className = className;
  if (cell.title !== title) cell.title = title;
}

const shown = new Map();

/** Shows an error until `clearError` with the same source, or until it is dismissed. */
export function showError(source, message) {
  let line = shown.get(source);
  if (!line) {
    line = element("p", {}, element("span"), element("button", { type: "button", textContent: "Dismiss" }));
    line.lastElementChild.onclick = () => clearError(source);
    shown.set(source, line);
    $("#errors").append(line);
  }
  if (line.firstElementChild.textContent !== message) line.firstElementChild.textContent = message;
}

export function clearError(source) {
  shown.get(source)?.remove();
  shown.delete(source);
}
