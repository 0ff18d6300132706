// The bench's page: receives the journal's entries and shows each in its place.

import * as condition from "./condition.js";
import * as domes from "./domes.js";
import { connect } from "./socket.js";
import * as sound from "./sound.js";
import * as switches from "./switches.js";
import * as timeline from "./timeline.js";
import { timeOfDay, zone } from "./times.js";
import * as way from "./way.js";

const byId = (id) => document.getElementById(id);
let skewMs = 0; // the bench's clock minus this page's
let lostMs = null; // since when the bench can't be reached: time on the page stands still then
let live = false; // entries that come are new, not history
let touchedAt = {}; // by button: when it was touched here, until its lamp lights
const nowMs = () => lostMs ?? Date.now() + skewMs;

const SHOW = {
  button(entry) {
    domes.showHeld(entry.name, entry.on);
    timeline.change("button", entry.name, entry.on, entry.at_ms);
    way.pin(entry);
  },
  lamp(entry) {
    domes.showLamp(entry.name, entry.on);
    timeline.change("lamp", entry.name, entry.on, entry.at_ms);
    way.pin(entry);
    if (entry.name === "seller" && entry.on) condition.sellerLit(entry.at_ms);
    if (live && entry.on) measureDelay(entry.name);
  },
  sound(entry) {
    if (entry.track === null) {
      timeline.change("sound", "", false, entry.at_ms);
      if (entry.hertz) timeline.change("sound", "", true, entry.at_ms);
      if (live) sound.tone(entry.hertz);
    }
    way.sound(entry);
  },
  power(entry) {
    condition.power(entry.on);
    domes.showPower(entry.on);
    way.power(entry.on);
    if (entry.on) notice(""); // with it, a new run without faults begins
    timeline.change("dark", "", !entry.on, entry.at_ms);
    timeline.mark(entry.at_ms, entry.on ? entry.reset.replaceAll("_", " ") : "stopped", "faint");
    if (!entry.on) {
      timeline.change("sound", "", false, entry.at_ms);
      sound.tone(0);
    }
  },
  kept(entry) {
    if (way.kept(entry) && !entry.old) timeline.markEvent(entry);
  },
  event(entry) {
    condition.event(entry);
    if (way.event(entry)) timeline.markEvent(entry);
  },
  outbox: way.outbox,
  wire(entry) {
    condition.wire(entry);
    way.wire(entry);
    if (entry.leaf === "settings" && entry.payload) {
      domes.showSettings(entry.payload);
      switches.settings(entry.payload);
    }
  },
  row: way.row,
  switches: switches.show,
  broker: (entry) => condition.tell({ hasBroker: entry.connected }),
  figures: (entry) => condition.tell({ heap: entry.heap, erases: entry.erases }),
  serial(entry) {
    const pre = byId("serial");
    const follows = pre.scrollTop + pre.clientHeight > pre.scrollHeight - 20;
    pre.append(entry.text);
    while (pre.childNodes.length > 400) pre.firstChild.remove();
    if (follows) pre.scrollTop = pre.scrollHeight;
  },
  did(entry) {
    if (entry.by === "switch") switches.say(entry.line);
  },
  typed: (entry) => switches.say(`> ${entry.line}`, "typed"),
  answered: (entry) => switches.say(entry.text, "answer"),
  failed: (entry) => switches.say(entry.sentence, "error"),
  recorded: switches.recorded,
  fault(entry) {
    condition.tell({ hasBrokenRule: true });
    way.brokeRule();
    notice(`The firmware broke a rule of its board: ${entry.sentence}. Switch the power off and on again.`);
  },
};

function receive(message) {
  if (message.kind === "hello") return begin(message);
  if (message.kind === "alive") return setClock(message);
  if (message.kind === "refused") return switches.refused(message);
  SHOW[message.kind]?.(message);
}

function begin(hello) {
  live = false;
  lostMs = null;
  setClock(hello);
  notice("");
  condition.begin(hello.board);
  byId("who").textContent = `${hello.site_id}/${hello.console_id} · ${hello.board}`;
  switches.board(hello.board);
  for (const id of ["serial", "lines"]) byId(id).replaceChildren();
  way.clear();
  timeline.clear();
  for (const button of domes.BUTTONS) domes.showHeld(button, false);
  for (const entry of hello.entries) SHOW[entry.kind]?.(entry);
  for (const [name, lit] of Object.entries(hello.lamps)) domes.showLamp(name, lit);
  condition.tell({}); // also if there was no entry yet
  live = true;
  setReady(true);
}

function setClock(message) {
  skewMs = message.now_ms - Date.now();
}

// Without the bench the page stands still: nothing can be pressed, no figure is shown as if it were live.
function setReady(ready) {
  document.body.dataset.ready = ready;
  document.querySelector("main").inert = !ready;
  byId("record").disabled = !ready;
}

function notice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = !text;
}

function lost() {
  lostMs ??= nowMs();
  domes.forget();
  sound.tone(0);
  condition.tell({ hasBench: false });
  setReady(false);
  const stands = live ? ` What you see is of ${timeOfDay(lostMs, 0)}.` : "";
  notice(`The bench has ended or does not answer.${stands} To start it again, run: trivox simulate. This page reconnects by itself.`);
}

// The delay is the time from a finger on this page to the lamp on this page.
function touched(button, timeStamp) {
  sound.wake();
  if (domes.isLit(button)) delete touchedAt[button]; // the lamp will not light again
  else touchedAt[button] = timeStamp;
}

function measureDelay(button) {
  if (!(button in touchedAt)) return;
  const since = touchedAt[button];
  delete touchedAt[button];
  requestAnimationFrame(() => setTimeout(() => {
    const delayMs = performance.now() - since; // the frame that shows the lamp is painted
    byId("delay").textContent = `${delayMs.toFixed(0)} ms`;
    byId("delay").dataset.ms = delayMs.toFixed(2);
  }));
}

const connection = connect({ receive, lost });
const send = (line) => {
  byId("refused").textContent = ""; // it was about the line before
  return connection(line);
};
domes.setUp(send, touched);
switches.setUp(send);
condition.setUp(nowMs);
timeline.setUp(nowMs);
way.setUp();
byId("zone").textContent = `Times of day: ${zone()}.`;
const sounds = byId("sound");
sounds.setAttribute("aria-pressed", localStorage.sound !== "off");
sound.allow(localStorage.sound !== "off");
sounds.onclick = () => {
  const on = sounds.getAttribute("aria-pressed") !== "true";
  sounds.setAttribute("aria-pressed", on);
  localStorage.sound = on ? "on" : "off";
  sound.allow(on);
};
