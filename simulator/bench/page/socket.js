// The way to the bench's server: lines out, entries of the journal in; it comes back by itself.

const AGAIN_MS = 700;

export function connect(handlers) {
  let socket = null;
  const open = () => {
    socket = new WebSocket(`ws://${location.host}/bench`);
    socket.onmessage = (message) => handlers.took(JSON.parse(message.data));
    socket.onclose = () => {
      handlers.lost();
      setTimeout(open, AGAIN_MS);
    };
  };
  open();
  return (line) => {
    if (socket.readyState !== WebSocket.OPEN) return false;
    socket.send(line);
    return true;
  };
}
