// Accounts with their balances, positions and open orders, from GET /sandbox/state.

import { brief, number, short, sign, signed, time } from "./format.js";
import { $, element, rows } from "./dom.js";

let chosen = null;

/** Draws the accounts, and what the chosen one has. `rules(symbol)` gives {pricePlaces, sizePlaces}. */
export function renderAccounts(accounts, markets, rules, redraw) {
  if (!accounts.some(({ account }) => account.account === chosen)) chosen = accounts.at(-1)?.account.account ?? null;
  note(accounts);
  rows(
    $("#account-rows"),
    accounts,
    ({ account }) => account.account,
    ({ account, balances, positions, open_orders: orders }) => [
      {
        text: brief(account.account),
        title: account.account,
        label: `Show account ${account.account}`,
        action: () => { chosen = account.account; redraw(); },
      },
      { text: number(account.account_value, 2), ticks: account.account_value },
      number(account.free_collateral, 2),
      number(account.initial_margin_requirement, 2),
      number(account.maintenance_margin_requirement, 2),
      balances.map((balance) => `${number(balance.size, 2)} ${balance.token}`).join(", ") || "–",
      String(positions.filter((position) => Number(position.size) !== 0).length),
      String(orders.length),
      { text: account.status, kind: account.status === "ACTIVE" ? "" : "down" },
    ],
    ({ account }) => ({ selected: account.account === chosen }),
  );
  const shown = accounts.find(({ account }) => account.account === chosen);
  for (const place of document.querySelectorAll(".whose")) place.textContent = chosen ? `of ${brief(chosen)}` : "";
  renderPositions(shown?.positions ?? [], markets, rules);
  renderOrders(shown?.open_orders ?? [], rules);
}

/** Prices of a market at which accounts have open orders, with a title for each. */
export function ownOrders(accounts, market) {
  const own = new Map();
  for (const { account, open_orders: orders } of accounts) {
    for (const order of orders) {
      if (order.market !== market || order.status !== "OPEN") continue;
      const line = `${order.side} ${order.remaining_size} of ${brief(account.account)}`;
      own.set(order.price, own.has(order.price) ? `${own.get(order.price)}\n${line}` : line);
    }
  }
  return own;
}

/** Shows the keys of an account that was just made; they are kept nowhere. */
export function showKeys(keys) {
  $("#keys-list").replaceChildren(
    ...Object.entries(keys).flatMap(([name, value]) => [
      element("dt", { textContent: name }),
      element("dd", {}, element("code", { textContent: value })),
    ]),
  );
  chosen = keys.account_address;
  $("#keys").showModal();
}

function note(accounts) {
  const place = $("#accounts-note");
  place.hidden = accounts.length > 0;
  if (!accounts.length) place.textContent = "No accounts yet. Make one here, or with: paradex-sandbox account";
}

function renderPositions(positions, markets, rules) {
  rows(
    $("#position-rows"),
    positions.filter((position) => Number(position.size) !== 0),
    (position) => position.market,
    (position) => {
      const { pricePlaces, sizePlaces } = rules(position.market);
      return [
        position.market,
        { text: position.side, kind: position.side === "LONG" ? "up" : "down" },
        number(position.size, sizePlaces),
        number(position.average_entry_price, pricePlaces),
        number(markets.get(position.market)?.mark_price, pricePlaces),
        { text: signed(position.unrealized_pnl), kind: sign(position.unrealized_pnl) },
        { text: signed(position.unrealized_funding_pnl, 4), kind: sign(position.unrealized_funding_pnl) },
        `${position.leverage}×`,
        number(position.liquidation_price, pricePlaces),
      ];
    },
  );
}

function renderOrders(orders, rules) {
  rows(
    $("#order-rows"),
    [...orders].reverse(),
    (order) => order.id,
    (order) => {
      const { pricePlaces, sizePlaces } = rules(order.market);
      return [
        { text: time(order.created_at), title: `order ${order.id}` },
        order.market,
        { text: order.side, kind: order.side === "BUY" ? "up" : "down" },
        order.type,
        order.type.includes("MARKET") ? "market" : number(order.price, pricePlaces),
        Number(order.trigger_price) ? number(order.trigger_price, pricePlaces) : "–",
        number(order.remaining_size, sizePlaces),
        number(order.size, sizePlaces),
        [order.instruction, ...order.flags].join(" "),
        order.client_id || "–",
        order.status,
      ];
    },
  );
}

/** For the markets' table: open interest and volume. */
export const volume = (text) => (text ? short(text) : "–");
