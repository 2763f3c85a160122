// The page: reads the exchange as any client would, and draws it a few times a second.

import { call, get } from "./api.js";
import { ownOrders, renderAccounts, showKeys, volume } from "./accounts.js";
import { Book, renderBook } from "./book.js";
import { Chart } from "./chart.js";
import { renderControl, run, wireControls, wireFaults } from "./control.js";
import { $, clearError, rows, showError } from "./dom.js";
import { dateTime, number, percent, placesOf, sign, time } from "./format.js";
import { BOOK, MARKET_SUMMARY, TRADE } from "./sbe.js";
import { Stream } from "./stream.js";

const DRAW_MS = 150;
const POLL_MS = 1000;
// Without the control surface only public data is read, which counts against the rate limit of this address.
const PUBLIC_POLL_MS = 5000;
const TAPE_LENGTH = 60;
const CHART_TRADES = 1000;
const SILENCE_MS = 5000;
const RENEWAL_PAUSE_MS = 1000;

const markets = new Map();
const rulesBySymbol = new Map();
const book = new Book();
const chart = new Chart($("#chart-canvas"));
let selected = null;
let feed = "deltas";
let tape = [];
let accounts = [];
// Whether /sandbox answers; null until it is known.
let control = null;
let stream;
let renewedAt = -Infinity;

const rules = (symbol) => rulesBySymbol.get(symbol) ?? { pricePlaces: undefined, sizePlaces: undefined };

// ---- What is shown

function select(symbol) {
  selected = symbol;
  tape = [];
  chart.start([]);
  for (const place of document.querySelectorAll(".symbol")) place.textContent = symbol;
  $("#mark-form").elements.price.value = "";
  subscribe();
  loadTrades(symbol);
}

function subscribe() {
  renewedAt = performance.now();
  stream.want("book", `order_book.${selected}.${feed}@15@100ms`);
  stream.want("trades", `trades.${selected}`);
}

async function loadTrades(symbol) {
  try {
    const { results } = await get(`/v1/trades?market=${encodeURIComponent(symbol)}&page_size=${CHART_TRADES}`);
    if (symbol !== selected) return;
    // Newest first, and the stream may have been faster.
    const known = new Set(results.map((trade) => trade.id));
    const newer = tape.filter((trade) => !known.has(trade.id));
    tape = [...newer, ...results].slice(0, TAPE_LENGTH);
    chart.start([...[...results].reverse(), ...[...newer].reverse()]);
    clearError("trades");
  } catch (error) {
    showError("trades", error.message);
  }
}

// ---- What comes in

function receive(frame) {
  if (frame.template === MARKET_SUMMARY) {
    markets.set(frame.symbol, { ...markets.get(frame.symbol), ...frame });
  } else if (frame.template === TRADE && frame.market === selected) {
    tape.unshift(frame);
    tape.length = Math.min(tape.length, TAPE_LENGTH);
    chart.add(frame);
  } else if (frame.template === BOOK && frame.market === selected && !book.apply(frame)) {
    book.reset();
  }
}

/** Asks for a new snapshot where the last one was lost, or something after it. */
function mendBook() {
  const now = performance.now();
  if (book.seq !== null || !stream.live || now - renewedAt < RENEWAL_PAUSE_MS) return;
  renewedAt = now;
  stream.renew("book");
}

async function poll() {
  try {
    if (control !== false) await pollControl();
    if (control === false) await pollPublic();
    clearError("poll");
  } catch (error) {
    // A step of the clock may take longer than a poll waits: what is shown stays until there is news.
    showError("poll", error.message);
  }
  draw();
  $("main").ariaBusy = "false";
}

async function pollControl() {
  let state;
  try {
    state = await get("/sandbox/state");
  } catch (error) {
    if (control === null && (error.status === 404 || error.status === 403)) {
      control = false;
      withoutControl(error.status);
      return;
    }
    throw error;
  }
  const [faults, settings] = await Promise.all([get("/sandbox/faults"), get("/sandbox/settings")]);
  if (control === null) {
    control = true;
    $("#controls").hidden = $("#new-account").hidden = false;
    await wireFaults().then(() => clearError("faults"), (error) => showError("faults", error.message));
  }
  accounts = state.accounts;
  await follow(state.markets);
  showClock(state.now, state.frozen);
  showStatus(settings.system_status);
  badge($("#fault-count"), faults.results.length ? `${faults.results.length} armed` : "none", faults.results.length ? "bad" : "good");
  renderControl(state, faults.results, settings, poll);
  renderAccounts(accounts, markets, rules, draw);
}

async function pollPublic() {
  const [clock, system] = await Promise.all([get("/v1/system/time"), get("/v1/system/state")]);
  showClock(Number(clock.server_time), null);
  showStatus(system.status);
  await loadSummaries();
}

async function loadSummaries() {
  const { results } = await get("/v1/markets/summary?market=ALL");
  await follow(results);
}

/** Takes in the summaries of all markets; what is not among them was deleted, what is new was listed. */
async function follow(summaries) {
  const listed = new Set(summaries.map((summary) => summary.symbol));
  for (const symbol of markets.keys()) if (!listed.has(symbol)) markets.delete(symbol);
  for (const summary of summaries) markets.set(summary.symbol, { ...markets.get(summary.symbol), ...summary });
  if (summaries.some((summary) => !rulesBySymbol.has(summary.symbol))) await loadRules();
  if (selected !== null && !listed.has(selected) && listed.size) select([...listed][0]);
}

async function loadRules() {
  const { results } = await get("/v1/markets");
  for (const market of results) {
    rulesBySymbol.set(market.symbol, {
      pricePlaces: placesOf(market.price_tick_size),
      sizePlaces: placesOf(market.order_size_increment),
    });
  }
}

function withoutControl(status) {
  const why = status === 403
    ? "Accounts and controls are shown only in a browser on the machine where the sandbox runs."
    : "This sandbox runs with --no-control: accounts cannot be shown, nothing can be injected.";
  for (const place of [$("#control-note"), $("#accounts-note")]) {
    place.textContent = why;
    place.hidden = false;
  }
  badge($("#fault-count"), "not shown", "");
}

// ---- Drawing

function draw() {
  const summary = markets.get(selected);
  const { pricePlaces, sizePlaces } = rules(selected);
  rows(
    $("#market-rows"),
    [...markets.values()],
    (market) => market.symbol,
    (market) => {
      const { pricePlaces: places } = rules(market.symbol);
      return [
        { text: market.symbol, action: () => select(market.symbol), label: `Show ${market.symbol}` },
        { text: number(market.mark_price, places), ticks: market.mark_price },
        number(market.bid, places),
        number(market.ask, places),
        { text: percent(market.price_change_rate_24h), kind: sign(market.price_change_rate_24h) },
        volume(market.volume_24h),
        volume(market.open_interest),
        { text: percent(market.funding_rate, 4), kind: sign(market.funding_rate), title: "per funding period" },
      ];
    },
    (market) => ({ selected: market.symbol === selected }),
  );
  renderBook(book, { pricePlaces, sizePlaces, own: ownOrders(accounts, selected) });
  rows(
    $("#trade-rows"),
    tape,
    (trade) => trade.id,
    (trade) => [
      time(trade.created_at),
      { text: trade.side, kind: trade.side === "BUY" ? "up" : "down" },
      { text: number(trade.price, pricePlaces), kind: trade.side === "BUY" ? "up" : "down" },
      number(trade.size, sizePlaces),
    ],
  );
  if (summary) {
    $("#last-price").textContent = number(summary.mark_price, pricePlaces);
    $("#last-detail").textContent = `mark; index ${number(summary.underlying_price, pricePlaces)}, last trade ${number(summary.last_traded_price, pricePlaces)}`;
    chart.draw(Number(summary.mark_price), pricePlaces);
  }
  mendBook();
  showAge();
}

function showClock(now, frozen) {
  $("#clock").textContent = `${dateTime(now)} UTC`;
  $("#clock").dateTime = new Date(now).toISOString();
  if (frozen === null) badge($("#clock-state"), "", "");
  else badge($("#clock-state"), frozen ? "frozen" : "running", frozen ? "warn" : "good");
}

function showStatus(status) {
  badge($("#system-status"), status, status === "ok" ? "good" : "bad");
}

function showAge() {
  const age = stream.lastMessageAt === null ? null : performance.now() - stream.lastMessageAt;
  $("#stream-age").textContent = age !== null && age > SILENCE_MS ? `silent for ${Math.round(age / 1000)} s` : "";
}

function badge(place, text, kind) {
  if (place.textContent !== text) place.textContent = text;
  place.className = `badge ${kind}`;
}

// ---- Start

function wire() {
  wireControls(() => selected, poll);
  for (const button of document.querySelectorAll("[data-feed]")) {
    button.onclick = () => {
      feed = button.dataset.feed;
      for (const other of document.querySelectorAll("[data-feed]")) other.setAttribute("aria-pressed", other === button);
      subscribe();
    };
  }
  $("#new-account").onclick = (event) =>
    run(event.currentTarget, async () => showKeys(await call("POST", "/sandbox/accounts", {})), poll);
  $("#keys-close").onclick = () => $("#keys").close();
  $("#keys").onclose = () => $("#keys-list").replaceChildren();
  $("#theme").onclick = () => {
    const light = matchMedia("(prefers-color-scheme: light)").matches;
    const now = document.documentElement.dataset.theme ?? (light ? "light" : "dark");
    setTheme(now === "dark" ? "light" : "dark");
  };
  setTheme(localStorage.getItem("theme"));
}

function setTheme(theme) {
  if (!theme) return;
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("theme", theme);
}

async function start() {
  wire();
  for (;;) {
    try {
      await loadSummaries();
      clearError("start");
      break;
    } catch (error) {
      showError("start", error.message);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  stream = new Stream(`${scheme}://${location.host}/v1?sbeSchemaId=1&sbeSchemaVersion=2`, {
    frame: receive,
    state: (text) => {
      badge($("#stream-state"), text, text === "live" ? "good" : "bad");
      if (text === "live") clearError("stream");
    },
    error: (text) => showError("stream", text),
    reset: (role) => { if (role === "book") book.reset(); },
  });
  stream.want("summaries", "markets_summary");
  select([...markets.keys()][0]);
  setInterval(draw, DRAW_MS);
  for (;;) {
    // Nobody looks at a hidden page, and a bot on the same machine has better use for the sandbox.
    if (!document.hidden) await poll();
    await new Promise((resolve) => setTimeout(resolve, control === false ? PUBLIC_POLL_MS : POLL_MS));
  }
}

start();
