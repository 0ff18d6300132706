// The connection to the bench's server: lines out, journal entries in; it reconnects by itself.

const RECONNECT_MS = 700;

export function connect(handlers) {
  let socket = null;
  const open = () => {
    socket = new WebSocket(`ws://${location.host}/bench`);
    socket.onmessage = (message) => handlers.receive(JSON.parse(message.data));
    socket.onclose = () => {
      handlers.lost();
      setTimeout(open, RECONNECT_MS);
    };
  };
  open();
  return (line) => {
    if (socket.readyState !== WebSocket.OPEN) return false;
    socket.send(line);
    return true;
  };
}
