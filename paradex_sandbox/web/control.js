// What no exchange offers: clock, mark price, system status and faults, through /sandbox.

import { call, get } from "./api.js";
import { dateTime, time } from "./format.js";
import { $, clearError, element, rows, showError } from "./dom.js";

// A step of the clock is lived through, tick by tick, before it is answered.
const STEP_TIMEOUT_MS = 120000;

const INPUTS = {
  int: { type: "number", step: "1" },
  float: { type: "number", step: "any" },
  str: { type: "text" },
  bool: { type: "checkbox" },
};

/** Wires the controls. `selected()` gives the market that is shown, `refresh()` reads the state at once. */
export function wireControls(selected, refresh) {
  const act = (button, work) => run(button, work, refresh);
  $("#freeze").onclick = (event) => {
    const freeze = event.currentTarget.getAttribute("aria-pressed") !== "true";
    act(event.currentTarget, () => call("POST", "/sandbox/clock", { freeze }));
  };
  for (const button of document.querySelectorAll("[data-step]")) {
    const advance = { advance_ms: Number(button.dataset.step) };
    button.onclick = () => act(button, () => call("POST", "/sandbox/clock", advance, STEP_TIMEOUT_MS));
  }
  const hold = (button, price) => act(button, () => call("POST", "/sandbox/mark_price", { market: selected(), price }));
  $("#mark-form").onsubmit = (event) => {
    event.preventDefault();
    hold(event.submitter, new FormData(event.target).get("price"));
  };
  $("#release").onclick = (event) => hold(event.currentTarget, null);
  $("#status-select").onchange = (event) => {
    const status = { system_status: event.target.value };
    act(event.target, () => call("POST", "/sandbox/settings", status));
  };
  $("#fault-form").onsubmit = (event) => {
    event.preventDefault();
    act(event.submitter, async () => {
      const { kind } = await call("POST", "/sandbox/faults", fault(event.target));
      // Some act at once and are not kept: without this line nobody would know.
      $("#fault-result").textContent = `${kind} injected at ${new Date().toLocaleTimeString()}`;
    });
  };
  $("#disarm-all").onclick = (event) => act(event.currentTarget, () => call("DELETE", "/sandbox/faults"));
}

/** Fills the list of faults and shows the parameters of the one that is chosen. */
export async function wireFaults() {
  const { results: kinds } = await get("/sandbox/faults/kinds");
  const select = $("#fault-kind");
  select.replaceChildren(...kinds.map(({ kind }) => element("option", { textContent: kind })));
  select.onchange = () => {
    const { description, parameters, defaults = {} } = kinds.find(({ kind }) => kind === select.value);
    $("#fault-description").textContent = description;
    $("#fault-parameters").replaceChildren(
      ...Object.entries(parameters).map(([name, type]) => {
        const input = element("input", { ...INPUTS[type], name: `parameter.${name}` });
        input.dataset.type = type;
        input.placeholder = defaults[name] ?? "";
        return element("label", {}, `${name} `, input);
      }),
    );
  };
  select.onchange();
}

/** Draws clock, status and faults. */
export function renderControl(state, faults, settings, refresh) {
  const freeze = $("#freeze");
  freeze.setAttribute("aria-pressed", state.frozen);
  freeze.textContent = state.frozen ? "Let it run" : "Freeze";
  const select = $("#status-select");
  if (document.activeElement !== select) select.value = settings.system_status;
  rows(
    $("#fault-rows"),
    faults,
    (item) => item.id,
    ({ id, kind, remaining, until, ...parameters }) => [
      kind,
      Object.entries(parameters).map(([name, value]) => `${name} = ${JSON.stringify(value)}`).join(", ") || "–",
      remaining === null || remaining === undefined ? "∞" : String(remaining),
      until ? { text: time(until), title: dateTime(until) } : "–",
      {
        text: "Remove",
        label: `Remove fault ${kind}`,
        action: (event) => run(event.currentTarget, () => call("DELETE", `/sandbox/faults/${encodeURIComponent(id)}`), refresh),
      },
    ],
  );
}

/** The request that the form describes: parameters left empty are left out. */
function fault(form) {
  const body = { kind: form.elements.kind.value };
  for (const input of form.querySelectorAll("[name^='parameter.']")) {
    const name = input.name.slice("parameter.".length);
    if (input.dataset.type === "bool") {
      if (input.checked) body[name] = true;
    } else if (input.value !== "") {
      body[name] = input.dataset.type === "str" ? input.value : Number(input.value);
    }
  }
  if (form.elements.count.value) body.count = Number(form.elements.count.value);
  if (form.elements.duration_s.value) body.duration_ms = Math.round(Number(form.elements.duration_s.value) * 1000);
  return body;
}

/** Does what a button stands for: once at a time, and with its error shown. */
export async function run(button, work, refresh) {
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  try {
    await work();
    clearError("action");
  } catch (error) {
    showError("action", error.message);
  } finally {
    button.ariaBusy = "false";
    await refresh();
  }
}
