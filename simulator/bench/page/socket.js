// The connection to the bench's server: lines out, journal entries in; it reconnects by itself, also if the server is
// there but says nothing any more (it is stopped, or this machine slept): it speaks at least each second.

const RECONNECT_MS = 700;
const SILENCE_MS = 6000;

export function connect(handlers) {
  let socket = null;
  let silence = 0;
  const open = () => {
    socket = new WebSocket(`ws://${location.host}/bench`);
    socket.onmessage = (message) => {
      listen();
      handlers.receive(JSON.parse(message.data));
    };
    socket.onopen = listen;
    socket.onclose = lose;
  };
  const listen = () => {
    clearTimeout(silence);
    silence = setTimeout(lose, SILENCE_MS);
  };
  const lose = () => {
    clearTimeout(silence);
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    handlers.lost();
    setTimeout(open, RECONNECT_MS);
  };
  open();
  return (line) => {
    if (socket.readyState !== WebSocket.OPEN) return false;
    socket.send(line);
    return true;
  };
}
