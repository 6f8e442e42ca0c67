// Reads the page again when the gateway says that a file has changed.
(() => {
  const at = location.pathname.indexOf("/__openclaw__/canvas");
  if (at < 0) return;
  let pause = 1000;
  const listen = () => {
    const socket = new WebSocket(
      location.protocol.replace("http", "ws") + "//" + location.host + location.pathname.slice(0, at) + "/__openclaw__/ws",
    );
    socket.onopen = () => (pause = 1000);
    socket.onmessage = (event) => event.data === "reload" && location.reload();
    socket.onclose = () => (pause *= 2) < 60000 && setTimeout(listen, pause);
  };
  listen();
})();
