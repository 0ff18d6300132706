// The seller's lamp reports what is wrong by blinks: two equal groups in a row are a code.

let edges = 0, edgeMs = 0, groupMs = 0, last = 0, code = 0;

export function forget() {
  edges = edgeMs = groupMs = last = code = 0;
}

export function lit(atMs) {
  if (atMs - edgeMs < 700) edges += 1;
  else {
    const period = edges * 400 + 1600;
    code = edges === last && Math.abs(atMs - groupMs - period) < 250 ? edges : 0;
    last = edges;
    edges = 1;
    groupMs = atMs;
  }
  edgeMs = atMs;
}

// The code that the lamp shows now; 0: none.
export function shown(nowMs) {
  return code && nowMs - edgeMs <= code * 400 + 2400 ? code : 0;
}
