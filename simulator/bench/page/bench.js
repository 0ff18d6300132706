// The bench's page: receives the journal's entries and shows each in its place.

import * as domes from "./domes.js";
import { connect } from "./socket.js";
import * as sound from "./sound.js";
import * as switches from "./switches.js";
import * as timeline from "./timeline.js";
import * as way from "./way.js";

const byId = (id) => document.getElementById(id);
const DONE_BY_FINGERS = /^(hold|release) \w+$/;
let skewMs = 0; // the bench's clock minus this page's
let live = false; // entries that come are new, not history
let touchedAt = {}; // by button: when it was touched here, until its lamp lights
const nowMs = () => Date.now() + skewMs;

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
    if (entry.name === "seller" && entry.on) domes.sellerLit(entry.at_ms);
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
    domes.showPower(entry.on);
    way.power(entry.on);
    timeline.change("dark", "", !entry.on, entry.at_ms);
    timeline.mark(entry.at_ms, entry.on ? entry.reset.replaceAll("_", " ") : "power off", "faint");
    if (!entry.on) {
      timeline.change("sound", "", false, entry.at_ms);
      sound.tone(0);
    }
  },
  kept(entry) {
    if (way.kept(entry) && !entry.old) timeline.markEvent(entry);
  },
  event(entry) {
    if (way.event(entry)) timeline.markEvent(entry);
  },
  outbox: way.outbox,
  wire(entry) {
    way.wire(entry);
    if (entry.leaf === "status" && entry.payload) status(entry.payload.state);
    if (entry.leaf === "settings" && entry.payload) {
      domes.showSettings(entry.payload);
      switches.settings(entry.payload);
    }
  },
  row: way.row,
  switches: switches.show,
  figures(entry) {
    byId("heap").textContent = `${(entry.heap / 1000).toFixed(1)} kB`;
    byId("erases").textContent = entry.erases.toLocaleString("en");
  },
  serial(entry) {
    const pre = byId("serial");
    const follows = pre.scrollTop + pre.clientHeight > pre.scrollHeight - 20;
    pre.append(entry.text);
    while (pre.childNodes.length > 400) pre.firstChild.remove();
    if (follows) pre.scrollTop = pre.scrollHeight;
  },
  did(entry) {
    if (!DONE_BY_FINGERS.test(entry.line)) switches.say(entry.line);
  },
  recorded: switches.recorded,
  fault(entry) {
    notice(`The firmware broke a rule of its board: ${entry.sentence}. Switch the power off and on again.`);
  },
};

function receive(message) {
  if (message.kind === "hello") return begin(message);
  if (message.kind === "failed") return switches.say(message.sentence, "error");
  if (message.kind === "said") return switches.say(message.text ?? `${message.line}: done`);
  SHOW[message.kind]?.(message);
}

function begin(hello) {
  live = false;
  skewMs = hello.now_ms - Date.now();
  byId("who").textContent = `${hello.site_id}/${hello.console_id} · ${hello.board}`;
  switches.board(hello.board);
  for (const id of ["serial", "lines"]) byId(id).replaceChildren();
  way.clear();
  timeline.clear();
  for (const button of domes.BUTTONS) domes.showHeld(button, false);
  for (const entry of hello.entries) SHOW[entry.kind]?.(entry);
  for (const [name, lit] of Object.entries(hello.lamps)) domes.showLamp(name, lit);
  live = true;
  notice("");
  document.body.dataset.ready = "true";
}

function status(state) {
  byId("status").dataset.state = state;
  byId("status").textContent = state;
}

function notice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = !text;
}

function lost() {
  domes.forget();
  sound.tone(0);
  status("unknown");
  byId("status").textContent = "no bench";
  document.body.dataset.ready = "false";
  notice("The bench has ended or can’t be reached. To start it again, run: trivox simulate. This page reconnects by itself.");
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

const send = connect({ receive, lost });
domes.setUp(send, touched);
switches.setUp(send);
timeline.setUp(nowMs);
way.setUp();
const sounds = byId("sound");
sounds.setAttribute("aria-pressed", localStorage.sound !== "off");
sound.allow(localStorage.sound !== "off");
sounds.onclick = () => {
  const on = sounds.getAttribute("aria-pressed") !== "true";
  sounds.setAttribute("aria-pressed", on);
  localStorage.sound = on ? "on" : "off";
  sound.allow(on);
};
setInterval(() => domes.watchBlinks(nowMs()), 500);
