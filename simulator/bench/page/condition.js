// The console's condition: sentences and figures that hold only while somebody who knows says so. What is out of date is
// not shown as if it were live.

import * as blinks from "./blinks.js";

const SILENT_MS = 5000; // beyond two heartbeats: so late a message may be on a busy machine
const MEANINGS = {
  1: "no session with the broker for 10 s",
  2: "the outbox is over half full",
  3: "a button is stuck",
  4: "flash can’t be read or written",
  5: "settings, or console.json, can’t be used",
};
const FAULTS = { clock: "it does not know the time" }; // which the lamp does not report; others are named as health does
const NONE = "–";
const byId = (id) => document.getElementById(id);
const unknown = {
  hasBench: false, // this page has a connection to the bench
  isRunning: false,
  hasBrokenRule: false, // of its board, in this run
  hasBroker: true, // the bench has a connection to the broker
  status: null, // the console's, at the broker
  heardMs: null, // when its last message came
  heartbeatMs: 60000,
  faults: [], // as its health reports them
  sentSettings: null, // {revision, at}, at the broker
  usedRevision: null, // of settings, as the console says
  heap: null, lag: null, erases: null,
  isOnCable: false,
};
let known = { ...unknown };
let now = () => Date.now();

export function setUp(nowMs) {
  now = nowMs;
  setInterval(show, 500);
}

export function begin(board) {
  known = { ...unknown, hasBench: true, isOnCable: board === "pico" };
  blinks.forget();
}

export function tell(facts) {
  known = { ...known, ...facts };
  show();
}

export function power(on) {
  blinks.forget();
  tell({ isRunning: on, hasBrokenRule: known.hasBrokenRule && !on, faults: [], heap: null, lag: null });
}

export function sellerLit(atMs) {
  blinks.lit(atMs);
  show();
}

export function wire(entry) {
  const payload = entry.payload ?? {};
  if (entry.way === "up" && !entry.retained) known.heardMs = entry.at_ms;
  if (entry.leaf === "status" && payload.state) known.status = payload.state;
  if (entry.leaf === "settings" && payload.question) {
    known.heartbeatMs = payload.heartbeat_ms ?? unknown.heartbeatMs;
    known.sentSettings = { revision: payload.revision, at: entry.at_ms };
  }
  if (entry.leaf === "health" && Array.isArray(payload.faults))
    tell({ faults: payload.faults, lag: payload.loop_lag_max_ms, usedRevision: payload.settings_revision });
  show();
}

export function event(entry) {
  if (entry.event.type === "settings_applied") tell({ usedRevision: entry.event.revision });
}

const isSilent = () => known.heardMs === null || now() - known.heardMs > SILENT_MS + 2 * known.heartbeatMs;
const isHeard = () => known.hasBroker && known.status === "online" && !isSilent();

function statusWords() {
  if (!known.hasBench) return "no bench";
  if (!known.hasBroker) return "can’t be reached";
  if (known.status === "online" && isSilent()) return "online, but silent";
  return known.status ?? "not heard of yet";
}

function lampWords() {
  if (!known.hasBench) return "What the lamp shows is not known.";
  if (known.hasBrokenRule) return "The firmware broke a rule of its board: the lamp means nothing.";
  if (!known.isRunning) return "No power: the lamp can’t report anything.";
  const code = blinks.shown(now());
  if (code === 1 && known.isOnCable) return "1 blink: no answer over the cable for 25 s, or nobody reads.";
  if (code) return `${code} ${code === 1 ? "blink" : "blinks"}: ${MEANINGS[code] ?? "unknown"}.`;
  if (!known.hasBroker) return "No blinks, but the bench can’t reach the broker.";
  if (!isHeard()) return "No blinks yet, but the broker hears nothing from the console.";
  if (known.faults.length) return `No blinks, but the console reports: ${known.faults.map((fault) => FAULTS[fault] ?? fault).join(", ")}.`;
  return "No blinks: the console reports no trouble.";
}

function settingsWords() {
  const { sentSettings: sent, usedRevision: used } = known;
  if (!known.isRunning || !sent || used === null || sent.revision === used) return "";
  if (isHeard() && known.heardMs - sent.at < known.heartbeatMs) return ""; // it may just be taking them
  return `Sent as revision ${sent.revision}; the console still uses ${used ? `revision ${used}` : "its defaults"}.`;
}

function show() {
  const measured = known.hasBench && known.isRunning;
  const words = {
    status: statusWords(),
    blinks: lampWords(),
    "question-note": settingsWords(),
    heap: measured && known.heap !== null ? `${(known.heap / 1000).toFixed(1)} kB` : NONE,
    lag: measured && isHeard() && known.lag !== null ? `${known.lag} ms` : NONE,
    erases: known.hasBench && known.erases !== null ? known.erases.toLocaleString("en") : NONE,
  };
  for (const [id, text] of Object.entries(words)) if (byId(id).textContent !== text) byId(id).textContent = text;
  byId("at-broker").dataset.state = ["online", "offline"].includes(words.status) ? words.status : "unknown";
}
