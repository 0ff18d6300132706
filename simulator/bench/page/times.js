// Times as the page shows them: times of day in the browser's time zone, all in one format.

export function timeOfDay(atMs, digits = 3) {
  const date = new Date(atMs);
  const ms = String(date.getMilliseconds()).padStart(3, "0");
  return date.toTimeString().slice(0, 8) + (digits ? `.${ms.slice(0, digits)}` : "");
}

export function day(atMs) {
  const date = new Date(atMs);
  return [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
}

export function zone() {
  const minutes = -new Date().getTimezoneOffset();
  const offset = [Math.abs(minutes) / 60, Math.abs(minutes) % 60].map((part) => String(Math.floor(part)).padStart(2, "0")).join(":");
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return name === "UTC" ? name : `${name ? `${name}, ` : ""}UTC${minutes < 0 ? "−" : "+"}${offset}`;
}
