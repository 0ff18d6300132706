// The timeline: pins and events, live or scrolled back, on a canvas.

import { day, timeOfDay } from "./times.js";
import { eventWords } from "./way.js";

const LANES = ["yes", "no", "cant_say", "seller"];
const NAMES = { yes: "Yes", no: "No", cant_say: "Can’t say", seller: "Seller" };
const SPANS_S = [2, 5, 10, 30, 60, 300, 900, 3600];
const LEFT = 78, TOP = 40, LANE = 44, HEIGHT = 262;
const ENTRIES_MAX = 20000;
const REDRAW_MS = 60;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const byId = (id) => document.getElementById(id);
const canvas = byId("timeline");
let bars = []; // {kind, name, from, to}
let marks = []; // {at, text, colour}
let open = new Map();
let span = 3; // index of SPANS_S
let end = null; // ms at the right edge; null: live
let now = () => Date.now();
let dirty = true;
let drawnMs = 0;
let colours = {};

export function setUp(nowMs) {
  now = nowMs;
  const theme = matchMedia("(prefers-color-scheme: dark)");
  theme.addEventListener("change", readColours);
  readColours();
  new ResizeObserver(() => (dirty = true)).observe(canvas);
  byId("in").onclick = () => zoom(-1);
  byId("out").onclick = () => zoom(1);
  byId("live").onclick = () => look(end === null ? now() : null);
  byId("scroll").oninput = (event) => scrollTo(event.target.value / 1000);
  canvas.addEventListener("keydown", keys);
  canvas.addEventListener("wheel", wheel, { passive: false });
  canvas.addEventListener("pointerdown", drag);
  for (const kind of ["pointerdown", "pointermove"]) canvas.addEventListener(kind, point); // a finger only taps
  requestAnimationFrame(frame);
}

function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["ink", "faint", "edge", "soft", "card", "yes", "no", "cant_say", "seller", "sound", "alarm"])
    colours[name] = style.getPropertyValue(`--${name}`).trim();
  dirty = true;
}

export function clear() {
  bars = [];
  marks = [];
  open = new Map();
  dirty = true;
}

export function change(kind, name, on, at) {
  const key = `${kind} ${name}`;
  if (on && !open.has(key)) {
    const bar = { kind, name, from: at, to: null };
    bars.push(bar);
    open.set(key, bar);
    if (bars.length > ENTRIES_MAX) bars.splice(0, ENTRIES_MAX / 10);
  } else if (!on && open.has(key)) {
    open.get(key).to = at;
    open.delete(key);
  }
  dirty = true;
}

export function mark(at, text, colour, title) {
  marks.push({ at, text, colour, title });
  if (marks.length > ENTRIES_MAX) marks.splice(0, ENTRIES_MAX / 10);
  dirty = true;
}

export const markEvent = (entry) => {
  const [kind, rest] = eventWords(entry.event);
  const colour = [entry.event.outcome, entry.event.button].find((name) => name in colours) ?? "ink";
  const text = entry.event.type === "survey_closed" ? rest.split(",")[0] : kind;
  mark(entry.at_ms, `${entry.seq} ${text}`, colour, `#${entry.seq} ${kind} ${rest}`);
};

const first = () => Math.min(bars[0]?.from ?? Infinity, marks[0]?.at ?? Infinity, now());
const edge = () => end ?? now() + length() / 40; // when live, the present is a little to the left of the edge
const length = () => SPANS_S[span] * 1000;

function look(at) {
  end = at === null || at >= now() ? null : Math.max(at, first() + length() / 2);
  byId("live").setAttribute("aria-pressed", end === null);
  dirty = true;
}

function zoom(by) {
  span = Math.min(SPANS_S.length - 1, Math.max(0, span + by));
  const seconds = SPANS_S[span];
  byId("span").textContent = seconds < 60 ? `${seconds} s` : seconds < 3600 ? `${seconds / 60} min` : "1 h";
  dirty = true;
}

function scrollTo(share) {
  look(share >= 1 ? null : first() + length() / 2 + share * (now() - first() - length() / 2));
}

function keys(event) {
  const moves = { ArrowLeft: -0.2, ArrowRight: 0.2, PageUp: -1, PageDown: 1 };
  if (event.key in moves) look((end ?? now()) + moves[event.key] * length());
  else if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? -1 : 1);
  else if (event.key === "Home") look(first() + length());
  else if (event.key === "End") look(null);
  else return;
  event.preventDefault();
}

function wheel(event) {
  if (event.ctrlKey) zoom(event.deltaY > 0 ? 1 : -1);
  else if (event.deltaX) look((end ?? now()) + (event.deltaX / canvas.clientWidth) * length());
  else return; // up and down scrolls the page
  event.preventDefault();
}

function drag(event) {
  const from = event.clientX;
  const was = end ?? now();
  const move = (moved) => {
    if (Math.abs(moved.clientX - from) > 3) look(was - ((moved.clientX - from) / (canvas.clientWidth - LEFT)) * length());
  };
  const stop = () => {
    canvas.removeEventListener("pointermove", move);
    canvas.style.cursor = "";
  };
  canvas.setPointerCapture(event.pointerId);
  canvas.style.cursor = "grabbing";
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerup", stop, { once: true });
  canvas.addEventListener("pointercancel", stop, { once: true });
}

function point(event) {
  const width = canvas.clientWidth - LEFT;
  const at = edge() - (1 - (event.offsetX - LEFT) / width) * length();
  const reach = (length() / width) * 12;
  const near = marks.filter((mark) => Math.abs(mark.at - at) < reach).map((mark) => mark.title ?? mark.text);
  byId("pointed").textContent = `${day(at)} ${timeOfDay(at)}  ${near.slice(-4).join(" · ")}`;
}

// The page is open all day: it draws only as often as the eye needs, and leaves the processor to the console.
function frame(atMs) {
  const due = atMs - drawnMs >= REDRAW_MS;
  const moved = end === null && atMs - drawnMs >= (calm.matches ? 1000 : length() / 1000); // about a pixel
  if ((dirty || moved) && due && !document.hidden) {
    dirty = false;
    drawnMs = atMs;
    draw();
    canvas.dataset.live = end === null; // of what is drawn
  }
  requestAnimationFrame(frame);
}

function draw() {
  const ratio = devicePixelRatio || 1;
  const width = canvas.clientWidth;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== HEIGHT * ratio) {
    canvas.width = Math.round(width * ratio);
    canvas.height = HEIGHT * ratio;
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, HEIGHT);
  const to = edge();
  const from = to - length();
  const x = (at) => LEFT + ((at - from) / length()) * (width - LEFT);
  grid(pen, x, from, to, width);
  pen.save();
  pen.beginPath();
  pen.rect(LEFT, 0, width - LEFT, HEIGHT);
  pen.clip();
  for (const bar of bars) if ((bar.to ?? to) >= from && bar.from <= to) drawBar(pen, x, bar, Math.min(to, now()));
  drawMarks(pen, x, from, to);
  pen.restore();
  const past = now() - first() - length() / 2;
  if (document.activeElement !== byId("scroll"))
    byId("scroll").value = end === null || past <= 0 ? 1000 : ((end - first() - length() / 2) / past) * 1000;
}

function grid(pen, x, from, to, width) {
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  const steps = [200, 500, 1000, 2000, 5000, 10000, 30000, 60000, 300000, 600000];
  const room = (width - LEFT) / 95;
  const step = steps.find((ms) => length() / ms <= room) ?? 1200000;
  pen.strokeStyle = colours.soft;
  pen.fillStyle = colours.faint;
  pen.textAlign = "center";
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
    pen.beginPath();
    pen.moveTo(x(at), TOP - 8);
    pen.lineTo(x(at), HEIGHT - 20);
    pen.stroke();
    if (x(at) < width - 34 && x(at) > LEFT + 24) pen.fillText(timeOfDay(at, step < 1000 ? 1 : 0), x(at), HEIGHT - 9);
  }
  pen.textAlign = "left";
  pen.fillText("Events", 0, 20);
  LANES.forEach((name, place) => {
    const y = TOP + place * LANE;
    pen.fillStyle = colours[name];
    pen.fillText(NAMES[name], 0, y + 18);
    pen.strokeStyle = colours.edge;
    pen.beginPath();
    pen.moveTo(LEFT, y + LANE - 4.5);
    pen.lineTo(width, y + LANE - 4.5);
    pen.stroke();
  });
  pen.fillStyle = colours.sound;
  pen.fillText("Sound", 0, TOP + 4 * LANE + 10);
}

function drawBar(pen, x, bar, to) {
  const left = x(bar.from);
  const width = Math.max(x(bar.to ?? to) - left, 1.5);
  if (bar.kind === "dark") {
    pen.fillStyle = colours.soft;
    pen.fillRect(left, TOP - 8, width, HEIGHT - TOP - 12);
    pen.fillStyle = colours.faint;
    if (width > 80) pen.fillText("not running", left + 6, TOP + 4);
    return;
  }
  if (bar.kind === "sound") {
    pen.fillStyle = colours.sound;
    pen.fillRect(left, TOP + 4 * LANE + 5, width, 9);
    return;
  }
  const y = TOP + LANES.indexOf(bar.name) * LANE;
  pen.fillStyle = colours[bar.name];
  if (bar.kind === "button") {
    pen.fillRect(left, y + 5, width, 8); // the finger
  } else {
    pen.globalAlpha = 0.38; // the light
    pen.fillRect(left, y + 16, width, 16);
    pen.globalAlpha = 1;
    pen.fillRect(left, y + 16, width, 2);
  }
}

function drawMarks(pen, x, from, to) {
  let free = [-Infinity, -Infinity];
  for (const mark of marks) {
    if (mark.at < from - length() || mark.at > to) continue;
    const at = x(mark.at);
    pen.fillStyle = colours[mark.colour];
    pen.globalAlpha = 0.35;
    pen.fillRect(at - 0.5, TOP - 6, 1, 5 + 4 * LANE);
    pen.globalAlpha = 1;
    pen.beginPath();
    pen.arc(at, TOP - 6, 3.5, 0, 7);
    pen.fill();
    if (at < LEFT) continue;
    const width = pen.measureText(mark.text).width;
    const left = (edge) => Math.max(edge, Math.min(at - 2, x(to) - width)); // not cut off at the right
    const row = free.findIndex((edge) => edge <= at - 2 && left(edge) + width <= x(to) + 1);
    if (row < 0) continue;
    pen.fillText(mark.text, left(free[row]), 8 + row * 15);
    free[row] = left(free[row]) + width + 8;
  }
}
