// How a page of the canvas reaches the app around it: what its user did, as a message to the app.
(() => {
  const name = "openclawCanvasA2UIAction";
  const post = (message) => {
    const ios = globalThis.webkit?.messageHandlers?.[name];
    const android = globalThis[name];
    if (ios?.postMessage) ios.postMessage(typeof message === "string" ? JSON.parse(message) : message);
    else if (android?.postMessage)
      android.postMessage(typeof message === "string" ? message : JSON.stringify(message));
    else return false;
    return true;
  };
  const id = () =>
    Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0"))
      .join("")
      .replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  const send = (action) => post({ userAction: { ...action, id: String(action?.id ?? "").trim() || id() } });
  const own = (globalThis.OpenClaw = globalThis.OpenClaw ?? {});
  own.postMessage = globalThis.openclawPostMessage = post;
  own.sendUserAction = globalThis.openclawSendUserAction = send;
})();
